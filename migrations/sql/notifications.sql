-- The notifications, the chunks of notifications that need more than one call to Novu, and the indexes by which the
-- loops find their rows. A producer writes the columns up to expires_at; the worker writes all others.
SET search_path = pg_catalog, pg_temp;

CREATE TABLE notify.ent_notification (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    enterprise_id TEXT NOT NULL,
    name TEXT NOT NULL,
    notification_workflow_id BIGINT,
    notification_rule_id BIGINT,
    payload notify.payload DEFAULT '{}'::jsonb NOT NULL,
    recipients notify.recipients NOT NULL,
    channels notify.channel_type[],
    overrides JSONB,
    tags TEXT[],
    priority SMALLINT DEFAULT 0 NOT NULL,
    dedup_key TEXT,
    publish_status notify.publish_status DEFAULT 'PUBLISH' NOT NULL,
    deactivated BOOLEAN DEFAULT false NOT NULL,
    scheduled_for TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    notification_status notify.notification_status DEFAULT 'PENDING' NOT NULL,
    transaction_id TEXT DEFAULT ('xn-' || gen_random_uuid()) NOT NULL,
    attempt INTEGER DEFAULT 0 NOT NULL,
    failure_count INTEGER DEFAULT 0 NOT NULL,
    refusals INTEGER DEFAULT 0 NOT NULL,
    unknown_outcomes INTEGER DEFAULT 0 NOT NULL,
    lapses INTEGER DEFAULT 0 NOT NULL,
    lease_expires_at TIMESTAMP WITH TIME ZONE,
    send_until TIMESTAMP WITH TIME ZONE,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    retract_requested_at TIMESTAMP WITH TIME ZONE,
    processed_at TIMESTAMP WITH TIME ZONE,
    retracted_at TIMESTAMP WITH TIME ZONE,
    temporal_workflow_id TEXT,
    error_details JSONB,
    retraction_reason TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT ent_notification_pkey PRIMARY KEY (id),
    -- A Temporal search attribute holds 2048 bytes of JSON, and JSON may need six bytes for one.
    CONSTRAINT ent_notification_enterprise_check CHECK (octet_length(enterprise_id) BETWEEN 1 AND 255),
    CONSTRAINT ent_notification_overrides_check CHECK (overrides IS NULL OR jsonb_typeof(overrides) = 'object'),
    CONSTRAINT ent_notification_channels_check
        CHECK (channels IS NULL OR (cardinality(channels) > 0 AND array_position(channels, NULL) IS NULL)),
    CONSTRAINT ent_notification_priority_check CHECK (priority BETWEEN 0 AND 9),
    CONSTRAINT ent_notification_counters_check
        CHECK (least(attempt, failure_count, refusals, unknown_outcomes, lapses) >= 0),
    -- Only a PROCESSING row has a lease or a live send.
    CONSTRAINT ent_notification_lease_check
        CHECK ((notification_status = 'PROCESSING') = (lease_expires_at IS NOT NULL)),
    CONSTRAINT ent_notification_send_check CHECK (notification_status = 'PROCESSING' OR send_until IS NULL),
    CONSTRAINT ent_notification_holder_check
        CHECK (notification_status <> 'PROCESSING' OR temporal_workflow_id IS NOT NULL),
    -- While PROCESSING, next_attempt_at also remembers that the row came from FAILED.
    CONSTRAINT ent_notification_retry_check CHECK (notification_status <> 'FAILED' OR next_attempt_at IS NOT NULL),
    CONSTRAINT ent_notification_fresh_check CHECK (notification_status <> 'PENDING' OR next_attempt_at IS NULL),
    CONSTRAINT ent_notification_retracted_check
        CHECK ((notification_status = 'RETRACTED') = (retracted_at IS NOT NULL)),
    CONSTRAINT ent_notification_notification_workflow_id_fkey
        FOREIGN KEY (notification_workflow_id) REFERENCES notify.ent_notification_workflow (id),
    CONSTRAINT ent_notification_notification_rule_id_fkey
        FOREIGN KEY (notification_rule_id) REFERENCES notify.ent_notification_rule (id) ON DELETE SET NULL
);

COMMENT ON TABLE notify.ent_notification IS
    'A notification: what to send to whom, and how far that has come. Insert a row, or call notify.enqueue(); a worker does '
    'the rest. A trigger refuses every transition that the state machine does not know.';
COMMENT ON COLUMN notify.ent_notification.id IS 'Primary key.';
COMMENT ON COLUMN notify.ent_notification.enterprise_id IS 'The enterprise (tenant) that it belongs to.';
COMMENT ON COLUMN notify.ent_notification.name IS 'Name for people.';
COMMENT ON COLUMN notify.ent_notification.notification_workflow_id IS
    'What to trigger; null, unpublished or another enterprise''s workflow makes the notification DEAD.';
COMMENT ON COLUMN notify.ent_notification.notification_rule_id IS 'The rule that made it; null: a producer did.';
COMMENT ON COLUMN notify.ent_notification.payload IS 'The data for the text, checked against the workflow''s payload_schema.';
COMMENT ON COLUMN notify.ent_notification.recipients IS 'Novu subscriber ids; topic:KEY addresses a topic.';
COMMENT ON COLUMN notify.ent_notification.channels IS 'Channels to use; null: the workflow''s default_channels.';
COMMENT ON COLUMN notify.ent_notification.overrides IS 'Passed on to Novu as the trigger''s overrides.';
COMMENT ON COLUMN notify.ent_notification.tags IS 'Free labels, for your own queries.';
COMMENT ON COLUMN notify.ent_notification.priority IS '0 to 9; within an enterprise a higher priority is claimed first.';
COMMENT ON COLUMN notify.ent_notification.dedup_key IS
    'A second row of the enterprise with the same key is refused for as long as this row is kept; null: no such check.';
COMMENT ON COLUMN notify.ent_notification.publish_status IS 'Only a PUBLISH notification is claimed.';
COMMENT ON COLUMN notify.ent_notification.deactivated IS 'True: not claimed, as if it were not PUBLISH.';
COMMENT ON COLUMN notify.ent_notification.scheduled_for IS 'It is not claimed before this time; null: at once.';
COMMENT ON COLUMN notify.ent_notification.expires_at IS
    'If it is still PENDING or FAILED by then, it becomes RETRACTED with the reason `expired`.';
COMMENT ON COLUMN notify.ent_notification.notification_status IS 'The state.';
COMMENT ON COLUMN notify.ent_notification.transaction_id IS
    'The id under which Novu drops repeats: it stays the same at each attempt, so that nothing is delivered twice.';
COMMENT ON COLUMN notify.ent_notification.attempt IS
    'How often it has been claimed. It never falls; a worker may write only while the row is at its own attempt.';
COMMENT ON COLUMN notify.ent_notification.failure_count IS 'Failed attempts that count; MAX_FAILURES of them make it DEAD.';
COMMENT ON COLUMN notify.ent_notification.refusals IS 'How often Novu definitely refused it.';
COMMENT ON COLUMN notify.ent_notification.unknown_outcomes IS
    'How often a call to Novu ended without an answer, so that it may or may not have been accepted.';
COMMENT ON COLUMN notify.ent_notification.lapses IS
    'How often a sender disappeared during a call; more than three make it DEAD with the code `poison`.';
COMMENT ON COLUMN notify.ent_notification.lease_expires_at IS
    'While PROCESSING: from then on the rescue asks Temporal whether anybody still works on it.';
COMMENT ON COLUMN notify.ent_notification.send_until IS
    'While a call to Novu is under way: until then nobody else may send. A past time: the sender disappeared.';
COMMENT ON COLUMN notify.ent_notification.next_attempt_at IS 'FAILED: when it is due again.';
COMMENT ON COLUMN notify.ent_notification.retract_requested_at IS 'When somebody first asked to retract it.';
COMMENT ON COLUMN notify.ent_notification.processed_at IS
    'When the worker finished it (SENT, DEAD, or retracted after a send); null while another attempt may follow.';
COMMENT ON COLUMN notify.ent_notification.retracted_at IS 'RETRACTED: when it became so.';
COMMENT ON COLUMN notify.ent_notification.temporal_workflow_id IS
    'Id of the run in Temporal that delivers it, or last did.';
COMMENT ON COLUMN notify.ent_notification.error_details IS
    'Why the last attempt failed: a code, a sentence, and what Novu answered.';
COMMENT ON COLUMN notify.ent_notification.retraction_reason IS 'Why it was retracted; `expired` if it came too late.';
COMMENT ON COLUMN notify.ent_notification.created_at IS 'When the transaction began that inserted the row.';
COMMENT ON COLUMN notify.ent_notification.updated_at IS 'When the row was last written; a trigger sets it.';

-- Each loop has two indexes: its rows by priority, and its rows by age, both within an enterprise. If both had the same
-- condition, the planner might take the wrong index. So the indexes by age have an extra condition that holds for
-- every row (priority >= 0), and that a claim states only if it reads by age.
CREATE INDEX ent_notification_new
    ON notify.ent_notification (enterprise_id, priority DESC, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated;
CREATE INDEX ent_notification_new_age
    ON notify.ent_notification (enterprise_id, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated AND priority >= 0;
CREATE INDEX ent_notification_scheduled
    ON notify.ent_notification (enterprise_id, priority, scheduled_for, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated;
CREATE INDEX ent_notification_scheduled_age
    ON notify.ent_notification (enterprise_id, scheduled_for, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated AND priority >= 0;
CREATE INDEX ent_notification_failed
    ON notify.ent_notification (enterprise_id, priority, next_attempt_at, id)
    WHERE notification_status = 'FAILED' AND publish_status = 'PUBLISH' AND NOT deactivated;
CREATE INDEX ent_notification_failed_age
    ON notify.ent_notification (enterprise_id, next_attempt_at, id)
    WHERE notification_status = 'FAILED' AND publish_status = 'PUBLISH' AND NOT deactivated AND priority >= 0;

-- When the next row comes due, over all enterprises. No claim states that a priority is at most 9, which keeps the
-- planner from taking this index for a claim.
CREATE INDEX ent_notification_scheduled_time
    ON notify.ent_notification (scheduled_for)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated AND priority <= 9;

-- How many rows are in flight per enterprise; and the rows whose lease has lapsed, for the rescue.
CREATE INDEX ent_notification_in_flight
    ON notify.ent_notification (enterprise_id)
    WHERE notification_status = 'PROCESSING';
CREATE INDEX ent_notification_lease
    ON notify.ent_notification (lease_expires_at, id)
    WHERE notification_status = 'PROCESSING';

CREATE INDEX ent_notification_expiring
    ON notify.ent_notification (expires_at, id)
    WHERE notification_status IN ('PENDING', 'FAILED') AND expires_at IS NOT NULL;

-- Rows that were retracted after they were sent, and of which Novu has not answered the cancel yet.
CREATE INDEX ent_notification_withdrawn
    ON notify.ent_notification (enterprise_id, retract_requested_at, id)
    WHERE notification_status = 'SENT' AND retract_requested_at IS NOT NULL AND error_details IS NULL;

CREATE UNIQUE INDEX ent_notification_dedup
    ON notify.ent_notification (enterprise_id, dedup_key)
    WHERE dedup_key IS NOT NULL;

-- Without it, deleting a rule would scan all notifications.
CREATE INDEX ent_notification_rule_id
    ON notify.ent_notification (notification_rule_id)
    WHERE notification_rule_id IS NOT NULL;

-- For the statistics of the last day; it takes a few pages, however large the table is.
CREATE INDEX ent_notification_created
    ON notify.ent_notification USING brin (created_at);

CREATE TABLE notify.ent_notification_delivery (
    notification_id BIGINT NOT NULL,
    chunk INTEGER NOT NULL,
    enterprise_id TEXT NOT NULL,
    recipients TEXT[] NOT NULL,
    transaction_id TEXT NOT NULL,
    refusals INTEGER DEFAULT 0 NOT NULL,
    outcome TEXT,
    error_details JSONB,
    answered_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT ent_notification_delivery_pkey PRIMARY KEY (notification_id, chunk),
    CONSTRAINT ent_notification_delivery_recipients_check CHECK (cardinality(recipients) BETWEEN 1 AND 100),
    CONSTRAINT ent_notification_delivery_outcome_check CHECK (outcome IN ('accepted', 'refused', 'unknown')),
    CONSTRAINT ent_notification_delivery_refusals_check CHECK (refusals >= 0),
    CONSTRAINT ent_notification_delivery_notification_id_fkey
        FOREIGN KEY (notification_id) REFERENCES notify.ent_notification (id) ON DELETE CASCADE
);
COMMENT ON TABLE notify.ent_notification_delivery IS
    'One row per chunk of a notification that needs more than one call to Novu (which takes 100 recipients at most), with '
    'Novu''s answer, so that a chunk that was accepted is not sent again.';
COMMENT ON COLUMN notify.ent_notification_delivery.notification_id IS 'The notification.';
COMMENT ON COLUMN notify.ent_notification_delivery.chunk IS 'Number of the chunk within the notification.';
COMMENT ON COLUMN notify.ent_notification_delivery.enterprise_id IS 'The notification''s enterprise.';
COMMENT ON COLUMN notify.ent_notification_delivery.recipients IS 'The recipients of this chunk.';
COMMENT ON COLUMN notify.ent_notification_delivery.transaction_id IS
    'The notification''s transaction_id followed by - and the chunk''s number.';
COMMENT ON COLUMN notify.ent_notification_delivery.refusals IS 'How often Novu definitely refused this chunk.';
COMMENT ON COLUMN notify.ent_notification_delivery.outcome IS
    'Novu''s last answer: accepted, refused, or unknown (it may have been accepted); null: not sent yet.';
COMMENT ON COLUMN notify.ent_notification_delivery.error_details IS 'What Novu answered instead of accepting it.';
COMMENT ON COLUMN notify.ent_notification_delivery.answered_at IS 'When the outcome was recorded.';
COMMENT ON COLUMN notify.ent_notification_delivery.created_at IS 'When the chunk was made.';
