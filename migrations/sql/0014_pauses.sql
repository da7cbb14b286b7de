-- Pauses of notifications, by a person or by the brake of an enterprise.
-- And the counts of the brake.
SET search_path = pg_catalog, pg_temp;

CREATE TABLE notify.pause (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    enterprise_id TEXT COLLATE "C",
    workflow_key TEXT COLLATE "C",
    reason TEXT NOT NULL,
    paused_by TEXT DEFAULT session_user NOT NULL,
    paused_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pause_pkey PRIMARY KEY (id),
    CONSTRAINT pause_enterprise_check CHECK (octet_length(enterprise_id) BETWEEN 1 AND 255),
    CONSTRAINT pause_key_check CHECK (octet_length(workflow_key) BETWEEN 1 AND 255),
    CONSTRAINT pause_reason_check CHECK (char_length(reason) BETWEEN 1 AND 1000)
);
COMMENT ON TABLE notify.pause IS
    'What is not claimed: notifications of an enterprise, of a workflow, of one workflow of an enterprise, or all. Their rows '
    'stay PENDING or FAILED. Write it with `xnovu pause` and `xnovu resume`.';
COMMENT ON COLUMN notify.pause.id IS 'Primary key.';
COMMENT ON COLUMN notify.pause.enterprise_id IS 'The enterprise; null: all.';
COMMENT ON COLUMN notify.pause.workflow_key IS 'The key of the workflow; null: all.';
COMMENT ON COLUMN notify.pause.reason IS 'Why, for people.';
COMMENT ON COLUMN notify.pause.paused_by IS 'Who paused it; `brake`: the brake of the enterprise.';
COMMENT ON COLUMN notify.pause.paused_at IS 'Since when.';
COMMENT ON COLUMN notify.pause.ends_at IS 'It ends by itself at this time; null: a person ends it.';
CREATE UNIQUE INDEX pause_scope ON notify.pause (coalesce(enterprise_id, ''), coalesce(workflow_key, ''));

CREATE TABLE notify.brake_count (
    enterprise_id TEXT COLLATE "C" NOT NULL,
    inserted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    number BIGINT NOT NULL,
    CONSTRAINT brake_count_pkey PRIMARY KEY (enterprise_id, inserted_at)
);
COMMENT ON TABLE notify.brake_count IS
    'For each enterprise with a burst: how many notifications that were inserted in a minute have been claimed. The claims '
    'keep it; a chore deletes it after a day.';
COMMENT ON COLUMN notify.brake_count.enterprise_id IS 'The enterprise.';
COMMENT ON COLUMN notify.brake_count.inserted_at IS 'The beginning of the minute.';
COMMENT ON COLUMN notify.brake_count.number IS 'How many of its notifications were claimed.';

-- Only workers and commands see them: no tenant may read, set or release a pause.
ALTER TABLE notify.pause ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.brake_count ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY worker ON notify.pause TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.brake_count TO xnovu_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON notify.pause, notify.brake_count TO xnovu_worker;

-- The locks first, as in 0002_keys.sql.
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_enterprise_limit IN ACCESS EXCLUSIVE MODE;

ALTER TABLE notify.ent_enterprise_limit
    ADD COLUMN burst INTEGER,
    ADD COLUMN released_to BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE notify.ent_enterprise_limit ADD CONSTRAINT ent_enterprise_limit_burst_check CHECK (burst > 0) NOT VALID;
COMMENT ON COLUMN notify.ent_enterprise_limit.burst IS
    'The brake: if more notifications than this were inserted in a minute, the enterprise is paused until a person resumes it; '
    'null: no brake.';
COMMENT ON COLUMN notify.ent_enterprise_limit.released_to IS
    'The brake does not count notifications up to this id: a person has released them. `xnovu resume` writes it.';
