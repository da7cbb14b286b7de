"""The schema `notify`: its enum types and tables, with every constraint and index."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TYPES = """
CREATE TYPE notify.notification_status AS ENUM
    ('PENDING', 'PROCESSING', 'SENT', 'FAILED', 'DEAD', 'RETRACTED');
CREATE TYPE notify.publish_status AS ENUM
    ('NONE', 'DRAFT', 'DISCARD', 'PUBLISH', 'DELETED', 'REVIEW');
CREATE TYPE notify.channel_type AS ENUM ('IN_APP', 'EMAIL', 'SMS', 'CHAT', 'PUSH');
CREATE TYPE notify.workflow_type AS ENUM ('STATIC', 'DYNAMIC');
CREATE TYPE notify.rule_trigger_type AS ENUM ('CRON', 'SCHEDULE', 'EVENT');
"""

TABLES = """
CREATE TABLE notify.deployment (
    singleton BOOLEAN DEFAULT true NOT NULL,
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    database TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT deployment_pkey PRIMARY KEY (singleton),
    CONSTRAINT deployment_singleton_check CHECK (singleton)
);

CREATE TABLE notify.ent_notification_workflow (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    enterprise_id TEXT,
    name TEXT NOT NULL,
    description TEXT,
    workflow_type notify.workflow_type NOT NULL,
    workflow_key TEXT NOT NULL,
    default_channels notify.channel_type[] DEFAULT '{IN_APP}'::notify.channel_type[] NOT NULL,
    payload_schema JSONB,
    template_overrides JSONB DEFAULT '{}'::jsonb NOT NULL,
    publish_status notify.publish_status DEFAULT 'DRAFT' NOT NULL,
    deactivated BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT ent_notification_workflow_pkey PRIMARY KEY (id),
    CONSTRAINT ent_notification_workflow_key_check CHECK (octet_length(workflow_key) BETWEEN 1 AND 255),
    CONSTRAINT ent_notification_workflow_channels_check CHECK (array_position(default_channels, NULL) IS NULL),
    CONSTRAINT ent_notification_workflow_schema_check CHECK (payload_schema IS NULL OR jsonb_typeof(payload_schema) = 'object'),
    CONSTRAINT ent_notification_workflow_overrides_check CHECK (jsonb_typeof(template_overrides) = 'object')
);
CREATE UNIQUE INDEX ent_notification_workflow_global
    ON notify.ent_notification_workflow (workflow_key)
    WHERE enterprise_id IS NULL;
CREATE UNIQUE INDEX ent_notification_workflow_own
    ON notify.ent_notification_workflow (enterprise_id, workflow_key);

CREATE TABLE notify.ent_notification_template (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    enterprise_id TEXT,
    name TEXT NOT NULL,
    template_key TEXT NOT NULL,
    channel_type notify.channel_type NOT NULL,
    subject_template TEXT,
    body_template TEXT NOT NULL,
    variables_description JSONB DEFAULT '{}'::jsonb NOT NULL,
    publish_status notify.publish_status DEFAULT 'DRAFT' NOT NULL,
    deactivated BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT ent_notification_template_pkey PRIMARY KEY (id),
    CONSTRAINT ent_notification_template_key_check CHECK (template_key <> ''),
    CONSTRAINT ent_notification_template_variables_check CHECK (jsonb_typeof(variables_description) = 'object')
);
CREATE UNIQUE INDEX ent_notification_template_global
    ON notify.ent_notification_template (template_key, channel_type)
    WHERE enterprise_id IS NULL;
CREATE UNIQUE INDEX ent_notification_template_own
    ON notify.ent_notification_template (enterprise_id, template_key, channel_type);

CREATE TABLE notify.ent_notification_rule (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    enterprise_id TEXT NOT NULL,
    name TEXT NOT NULL,
    notification_workflow_id BIGINT NOT NULL,
    trigger_type notify.rule_trigger_type NOT NULL,
    trigger_config JSONB DEFAULT '{}'::jsonb NOT NULL,
    rule_payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    publish_status notify.publish_status DEFAULT 'DRAFT' NOT NULL,
    deactivated BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT ent_notification_rule_pkey PRIMARY KEY (id),
    CONSTRAINT ent_notification_rule_enterprise_check CHECK (enterprise_id <> ''),
    CONSTRAINT ent_notification_rule_config_check CHECK (jsonb_typeof(trigger_config) = 'object'),
    CONSTRAINT ent_notification_rule_payload_check CHECK (jsonb_typeof(rule_payload) = 'object'),
    CONSTRAINT ent_notification_rule_notification_workflow_id_fkey FOREIGN KEY(notification_workflow_id) REFERENCES notify.ent_notification_workflow (id)
);

CREATE TABLE notify.ent_notification (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    enterprise_id TEXT NOT NULL,
    name TEXT NOT NULL,
    notification_workflow_id BIGINT,
    notification_rule_id BIGINT,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    recipients TEXT[] NOT NULL,
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
    CONSTRAINT ent_notification_enterprise_check CHECK (octet_length(enterprise_id) BETWEEN 1 AND 255),
    CONSTRAINT ent_notification_payload_check CHECK (jsonb_typeof(payload) = 'object'),
    CONSTRAINT ent_notification_overrides_check CHECK (overrides IS NULL OR jsonb_typeof(overrides) = 'object'),
    CONSTRAINT ent_notification_recipients_check CHECK (cardinality(recipients) > 0 AND array_position(recipients, NULL) IS NULL AND '' <> ALL (recipients)),
    CONSTRAINT ent_notification_channels_check CHECK (channels IS NULL OR (cardinality(channels) > 0 AND array_position(channels, NULL) IS NULL)),
    CONSTRAINT ent_notification_priority_check CHECK (priority BETWEEN 0 AND 9),
    CONSTRAINT ent_notification_counters_check CHECK (least(attempt, failure_count, refusals, unknown_outcomes, lapses) >= 0),
    CONSTRAINT ent_notification_lease_check CHECK ((notification_status = 'PROCESSING') = (lease_expires_at IS NOT NULL)),
    CONSTRAINT ent_notification_send_check CHECK (notification_status = 'PROCESSING' OR send_until IS NULL),
    CONSTRAINT ent_notification_holder_check CHECK (notification_status <> 'PROCESSING' OR temporal_workflow_id IS NOT NULL),
    CONSTRAINT ent_notification_retry_check CHECK (notification_status <> 'FAILED' OR next_attempt_at IS NOT NULL),
    CONSTRAINT ent_notification_fresh_check CHECK (notification_status <> 'PENDING' OR next_attempt_at IS NULL),
    CONSTRAINT ent_notification_retracted_check CHECK ((notification_status = 'RETRACTED') = (retracted_at IS NOT NULL)),
    CONSTRAINT ent_notification_notification_workflow_id_fkey FOREIGN KEY(notification_workflow_id) REFERENCES notify.ent_notification_workflow (id),
    CONSTRAINT ent_notification_notification_rule_id_fkey FOREIGN KEY(notification_rule_id) REFERENCES notify.ent_notification_rule (id) ON DELETE SET NULL
);
CREATE INDEX ent_notification_created
    ON notify.ent_notification USING brin (created_at);
CREATE UNIQUE INDEX ent_notification_dedup
    ON notify.ent_notification (enterprise_id, dedup_key)
    WHERE dedup_key IS NOT NULL;
CREATE INDEX ent_notification_expiring
    ON notify.ent_notification (expires_at, id)
    WHERE notification_status IN ('PENDING', 'FAILED') AND expires_at IS NOT NULL;
CREATE INDEX ent_notification_failed
    ON notify.ent_notification (enterprise_id, priority, next_attempt_at, id)
    WHERE notification_status = 'FAILED' AND publish_status = 'PUBLISH' AND NOT deactivated;
CREATE INDEX ent_notification_failed_age
    ON notify.ent_notification (enterprise_id, next_attempt_at, id)
    WHERE notification_status = 'FAILED' AND publish_status = 'PUBLISH' AND NOT deactivated;
CREATE INDEX ent_notification_in_flight
    ON notify.ent_notification (enterprise_id)
    WHERE notification_status = 'PROCESSING';
CREATE INDEX ent_notification_lease
    ON notify.ent_notification (lease_expires_at, id)
    WHERE notification_status = 'PROCESSING';
CREATE INDEX ent_notification_new
    ON notify.ent_notification (enterprise_id, priority DESC, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NULL AND publish_status = 'PUBLISH' AND NOT deactivated;
CREATE INDEX ent_notification_new_age
    ON notify.ent_notification (enterprise_id, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NULL AND publish_status = 'PUBLISH' AND NOT deactivated;
CREATE INDEX ent_notification_rule_id
    ON notify.ent_notification (notification_rule_id)
    WHERE notification_rule_id IS NOT NULL;
CREATE INDEX ent_notification_scheduled
    ON notify.ent_notification (enterprise_id, priority, scheduled_for, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH' AND NOT deactivated;
CREATE INDEX ent_notification_scheduled_age
    ON notify.ent_notification (enterprise_id, scheduled_for, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH' AND NOT deactivated;
CREATE INDEX ent_notification_withdrawn
    ON notify.ent_notification (enterprise_id, retract_requested_at, id)
    WHERE notification_status = 'SENT' AND retract_requested_at IS NOT NULL AND error_details IS NULL;

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
    CONSTRAINT ent_notification_delivery_notification_id_fkey FOREIGN KEY(notification_id) REFERENCES notify.ent_notification (id) ON DELETE CASCADE
);
"""

# The id is minted here; `database` tells a restored copy from the original.
DEPLOYMENT = """
INSERT INTO notify.deployment (database)
SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
FROM pg_control_system();
"""


def upgrade() -> None:
    for statements in (TYPES, TABLES, DEPLOYMENT):
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE notify.ent_notification_delivery, notify.ent_notification, notify.ent_notification_rule,
            notify.ent_notification_template, notify.ent_notification_workflow, notify.deployment;
        DROP TYPE notify.notification_status, notify.publish_status, notify.channel_type,
            notify.workflow_type, notify.rule_trigger_type;
        """
    )
