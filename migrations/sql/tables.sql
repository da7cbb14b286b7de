-- All tables but the notifications: the deployment and its chores, the workflows and templates of notifications, the
-- rules that create notifications, and the limits of enterprises.
SET search_path = pg_catalog, pg_temp;

-- Alembic creates this table before it runs this file; psql creates it here.
CREATE TABLE IF NOT EXISTS notify.alembic_version (
    version_num CHARACTER VARYING(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
COMMENT ON TABLE notify.alembic_version IS 'The revision of this schema. Only the migrations write it.';
COMMENT ON COLUMN notify.alembic_version.version_num IS
    'The last migration that ran; a worker starts only if its version needs this revision.';

CREATE TABLE notify.deployment (
    singleton BOOLEAN DEFAULT true NOT NULL,
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    database TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    known_since TIMESTAMP WITH TIME ZONE,
    CONSTRAINT deployment_pkey PRIMARY KEY (singleton),
    CONSTRAINT deployment_singleton_check CHECK (singleton)
);
COMMENT ON TABLE notify.deployment IS
    'Whose database this is: one row. A worker does not start in a copy of a database until `xnovu db new-deployment` or '
    '`xnovu db keep-deployment` has decided whose notifications these are.';
COMMENT ON COLUMN notify.deployment.singleton IS 'Always true, so that there is one row at most.';
COMMENT ON COLUMN notify.deployment.id IS
    'The deployment. Its first eight digits begin the id of each of its runs and schedules in Temporal.';
COMMENT ON COLUMN notify.deployment.database IS
    'Where the deployment lives: system identifier of the server / oid of the database. A copy has another value.';
COMMENT ON COLUMN notify.deployment.created_at IS 'When this deployment id was made.';
COMMENT ON COLUMN notify.deployment.known_since IS
    'When a person last decided that the deployment lives here. Runs in Temporal from before prove no copy. '
    'Null: nobody had to decide.';

-- Create the deployment and its id. The value of `database` distinguishes this database from a restored copy of it.
INSERT INTO notify.deployment (database)
SELECT server.system_identifier || '/' || here.oid
FROM pg_control_system() AS server, pg_database AS here
WHERE here.datname = current_database();

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
    CONSTRAINT ent_notification_workflow_schema_check
        CHECK (payload_schema IS NULL OR jsonb_typeof(payload_schema) = 'object'),
    CONSTRAINT ent_notification_workflow_overrides_check CHECK (jsonb_typeof(template_overrides) = 'object')
);
-- NULLS NOT DISTINCT came with PostgreSQL 15; for 14, the global rows need an index of their own.
CREATE UNIQUE INDEX ent_notification_workflow_global
    ON notify.ent_notification_workflow (workflow_key)
    WHERE enterprise_id IS NULL;
CREATE UNIQUE INDEX ent_notification_workflow_own
    ON notify.ent_notification_workflow (enterprise_id, workflow_key);

COMMENT ON TABLE notify.ent_notification_workflow IS
    'A kind of notification: which of Novu''s workflows to trigger, on which channels, with which payload. An enterprise''s '
    'own row wins over the global one of the same key.';
COMMENT ON COLUMN notify.ent_notification_workflow.id IS 'Primary key.';
COMMENT ON COLUMN notify.ent_notification_workflow.enterprise_id IS 'The enterprise that owns it; null: for all enterprises.';
COMMENT ON COLUMN notify.ent_notification_workflow.name IS 'Name for people.';
COMMENT ON COLUMN notify.ent_notification_workflow.description IS 'Description for people.';
COMMENT ON COLUMN notify.ent_notification_workflow.workflow_type IS 'Where the text comes from: STATIC or DYNAMIC.';
COMMENT ON COLUMN notify.ent_notification_workflow.workflow_key IS
    'Identifier of the workflow at Novu; unique per enterprise. 1 to 255 bytes, as it becomes a search attribute.';
COMMENT ON COLUMN notify.ent_notification_workflow.default_channels IS
    'Channels of a notification that names none itself.';
COMMENT ON COLUMN notify.ent_notification_workflow.payload_schema IS
    'JSON Schema that a payload must satisfy; null: any object.';
COMMENT ON COLUMN notify.ent_notification_workflow.template_overrides IS
    'Which template to render for a channel (DYNAMIC only): {"EMAIL": "template_key", …}.';
COMMENT ON COLUMN notify.ent_notification_workflow.publish_status IS
    'Only a PUBLISH workflow is used; a notification of any other ends DEAD.';
COMMENT ON COLUMN notify.ent_notification_workflow.deactivated IS 'True: not used, as if it were not PUBLISH.';
COMMENT ON COLUMN notify.ent_notification_workflow.created_at IS 'When the row was inserted.';
COMMENT ON COLUMN notify.ent_notification_workflow.updated_at IS 'When the row was last written; a trigger sets it.';

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

COMMENT ON TABLE notify.ent_notification_template IS
    'The text of one channel under one key, in a verified subset of Mako. An enterprise''s own row wins over the global one.';
COMMENT ON COLUMN notify.ent_notification_template.id IS 'Primary key.';
COMMENT ON COLUMN notify.ent_notification_template.enterprise_id IS 'The enterprise that owns it; null: for all enterprises.';
COMMENT ON COLUMN notify.ent_notification_template.name IS 'Name for people.';
COMMENT ON COLUMN notify.ent_notification_template.template_key IS
    'The key by which a workflow''s template_overrides name it; unique per enterprise and channel.';
COMMENT ON COLUMN notify.ent_notification_template.channel_type IS 'The channel that the text is for.';
COMMENT ON COLUMN notify.ent_notification_template.subject_template IS 'Template of the subject line; null: no subject.';
COMMENT ON COLUMN notify.ent_notification_template.body_template IS 'Template of the text itself.';
COMMENT ON COLUMN notify.ent_notification_template.variables_description IS
    'The variables of the template; each value is the default where the payload has none.';
COMMENT ON COLUMN notify.ent_notification_template.publish_status IS 'Only a PUBLISH template is rendered.';
COMMENT ON COLUMN notify.ent_notification_template.deactivated IS 'True: not rendered, as if it were not PUBLISH.';
COMMENT ON COLUMN notify.ent_notification_template.created_at IS 'When the row was inserted.';
COMMENT ON COLUMN notify.ent_notification_template.updated_at IS 'When the row was last written; a trigger sets it.';

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
    rule_status notify.rule_status,
    rule_error TEXT,
    done_for TIMESTAMP WITH TIME ZONE,
    last_fired_at TIMESTAMP WITH TIME ZONE,
    last_outcome TEXT,
    CONSTRAINT ent_notification_rule_pkey PRIMARY KEY (id),
    CONSTRAINT ent_notification_rule_enterprise_check CHECK (octet_length(enterprise_id) BETWEEN 1 AND 255),
    CONSTRAINT ent_notification_rule_name_check CHECK (char_length(name) <= 1000),
    -- The worker reads the trigger_config of all rules at once.
    CONSTRAINT ent_notification_rule_config_check
        CHECK (jsonb_typeof(trigger_config) = 'object' AND octet_length(trigger_config::text) <= 16384),
    -- A firing is one statement, which reads all of the payload.
    CONSTRAINT ent_notification_rule_payload_check
        CHECK (jsonb_typeof(rule_payload) = 'object' AND octet_length(rule_payload::text) <= 1048576),
    CONSTRAINT ent_notification_rule_outcome_check
        CHECK (last_outcome IN ('created', 'repeated', 'inactive', 'no_recipients', 'gone')),
    CONSTRAINT ent_notification_rule_notification_workflow_id_fkey
        FOREIGN KEY (notification_workflow_id) REFERENCES notify.ent_notification_workflow (id)
);

COMMENT ON TABLE notify.ent_notification_rule IS
    'A schedule that inserts a notification each time it fires. The worker keeps one Temporal Schedule per rule and writes '
    'rule_status and the columns after it.';
COMMENT ON COLUMN notify.ent_notification_rule.id IS 'Primary key.';
COMMENT ON COLUMN notify.ent_notification_rule.enterprise_id IS 'The enterprise whose notifications it makes.';
COMMENT ON COLUMN notify.ent_notification_rule.name IS 'Name for people; each notification of the rule bears it.';
COMMENT ON COLUMN notify.ent_notification_rule.notification_workflow_id IS 'The workflow of its notifications.';
COMMENT ON COLUMN notify.ent_notification_rule.trigger_type IS 'CRON: at recurring times. SCHEDULE: once.';
COMMENT ON COLUMN notify.ent_notification_rule.trigger_config IS
    'The times: {"cron": "0 9 * * 1-5", "timezone": "Asia/Shanghai"} or {"at": "2030-01-01T09:00:00+08:00"}. 16 KB at most.';
COMMENT ON COLUMN notify.ent_notification_rule.rule_payload IS
    'The recipients and the payload of its notifications: {"recipients": [ … ], …}. 1 MB at most.';
COMMENT ON COLUMN notify.ent_notification_rule.publish_status IS 'Only a PUBLISH rule fires.';
COMMENT ON COLUMN notify.ent_notification_rule.deactivated IS 'True: the rule is paused.';
COMMENT ON COLUMN notify.ent_notification_rule.created_at IS 'When the row was inserted.';
COMMENT ON COLUMN notify.ent_notification_rule.updated_at IS
    'When a person or program last changed the rule; the worker''s own writes do not count. A trigger sets it.';
COMMENT ON COLUMN notify.ent_notification_rule.rule_status IS
    'State of the rule; null until a worker has looked at it.';
COMMENT ON COLUMN notify.ent_notification_rule.rule_error IS
    'Why the rule is INVALID or FAILED, or DONE without a firing.';
COMMENT ON COLUMN notify.ent_notification_rule.done_for IS
    'The time of a SCHEDULE rule, once it has fired for it.';
COMMENT ON COLUMN notify.ent_notification_rule.last_fired_at IS 'When the rule last fired.';
COMMENT ON COLUMN notify.ent_notification_rule.last_outcome IS
    'How the last firing ended. created: it made its notification. repeated: the same firing had made it before. inactive: '
    'the rule was off by then. no_recipients: the payload names none. gone: the row had been deleted.';

CREATE TABLE notify.ent_enterprise_limit (
    enterprise_id TEXT NOT NULL,
    rate DOUBLE PRECISION,
    in_flight INTEGER,
    tokens DOUBLE PRECISION,
    counted_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT ent_enterprise_limit_pkey PRIMARY KEY (enterprise_id),
    CONSTRAINT ent_enterprise_limit_enterprise_check CHECK (octet_length(enterprise_id) BETWEEN 1 AND 255),
    CONSTRAINT ent_enterprise_limit_rate_check CHECK (rate BETWEEN 0.001 AND 1000000),
    CONSTRAINT ent_enterprise_limit_in_flight_check CHECK (in_flight > 0)
);
COMMENT ON TABLE notify.ent_enterprise_limit IS
    'How fast an enterprise is served and how much of it may be in flight, for all workers together. No row: no limit.';
COMMENT ON COLUMN notify.ent_enterprise_limit.enterprise_id IS 'The enterprise.';
COMMENT ON COLUMN notify.ent_enterprise_limit.rate IS 'Notifications claimed per second at most; null: no limit.';
COMMENT ON COLUMN notify.ent_enterprise_limit.in_flight IS 'Notifications PROCESSING at the same time at most; null: no limit.';
COMMENT ON COLUMN notify.ent_enterprise_limit.tokens IS
    'How many notifications could be claimed at counted_at: a bucket that fills by `rate`. The claims keep it.';
COMMENT ON COLUMN notify.ent_enterprise_limit.counted_at IS 'When `tokens` was counted. The claims keep it.';
COMMENT ON COLUMN notify.ent_enterprise_limit.created_at IS 'When the row was inserted.';
COMMENT ON COLUMN notify.ent_enterprise_limit.updated_at IS 'When the row was last written; a trigger sets it.';

CREATE TABLE notify.chore (
    name TEXT NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE NOT NULL,
    took_ms INTEGER NOT NULL,
    report JSONB DEFAULT '{}'::jsonb NOT NULL,
    error TEXT,
    CONSTRAINT chore_pkey PRIMARY KEY (name),
    CONSTRAINT chore_took_check CHECK (took_ms >= 0),
    CONSTRAINT chore_report_check CHECK (jsonb_typeof(report) = 'object')
);
COMMENT ON TABLE notify.chore IS
    'How each chore of the deployment (comparing rules, retention, statistics, checks) last went, whichever worker did it.';
COMMENT ON COLUMN notify.chore.name IS 'The chore.';
COMMENT ON COLUMN notify.chore.finished_at IS 'When it last ended.';
COMMENT ON COLUMN notify.chore.took_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN notify.chore.report IS
    'What it did, and where the next run continues. A run that fails leaves the report of the run before.';
COMMENT ON COLUMN notify.chore.error IS 'Why it failed; null if it did not.';
