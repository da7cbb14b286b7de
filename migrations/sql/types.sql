-- The schema and its types: the states of a notification, the values of other columns, and two domains that check a
-- value when it is created.
-- The files of this folder run in the order that versions/0001_initial.py states.
SET search_path = pg_catalog, pg_temp;

-- Alembic creates the schema first, for its own table. CREATE SCHEMA IF NOT EXISTS would need the right to create a
-- schema even if it exists.
DO $$
BEGIN
    IF to_regnamespace('notify') IS NULL THEN
        CREATE SCHEMA notify;
    END IF;
END $$;

CREATE TYPE notify.notification_status AS ENUM
    ('PENDING', 'PROCESSING', 'SENT', 'FAILED', 'DEAD', 'RETRACTED');
COMMENT ON TYPE notify.notification_status IS
    'State of a notification. PENDING: waits for its claim. PROCESSING: claimed, a worker works on it. SENT: Novu accepted '
    'it. FAILED: an attempt failed, the next comes at next_attempt_at. DEAD: given up, see error_details. RETRACTED: '
    'withdrawn or expired.';

CREATE TYPE notify.publish_status AS ENUM
    ('NONE', 'DRAFT', 'DISCARD', 'PUBLISH', 'DELETED', 'REVIEW');
COMMENT ON TYPE notify.publish_status IS
    'Whether a row may be used. Only PUBLISH rows are; the other words are for the programs that edit the rows.';

CREATE TYPE notify.channel_type AS ENUM ('IN_APP', 'EMAIL', 'SMS', 'CHAT', 'PUSH');
COMMENT ON TYPE notify.channel_type IS 'A way by which a notification reaches a person.';

CREATE TYPE notify.workflow_type AS ENUM ('STATIC', 'DYNAMIC');
COMMENT ON TYPE notify.workflow_type IS
    'Where the text comes from. STATIC: from Novu. DYNAMIC: from ent_notification_template, rendered by the worker and sent '
    'in the payload.';

CREATE TYPE notify.rule_trigger_type AS ENUM ('CRON', 'SCHEDULE', 'EVENT');
COMMENT ON TYPE notify.rule_trigger_type IS
    'When a rule fires. CRON: at recurring times. SCHEDULE: at one time. EVENT: not supported, new rules are refused.';

CREATE TYPE notify.rule_status AS ENUM ('SCHEDULED', 'PAUSED', 'DONE', 'INVALID', 'FAILED');
COMMENT ON TYPE notify.rule_status IS
    'State of a rule. SCHEDULED: its Temporal Schedule follows it. PAUSED: deactivated or not PUBLISH. DONE: it has no time '
    'left. INVALID: it cannot be scheduled as written, see rule_error. FAILED: Temporal refused its schedule, see '
    'rule_error.';

-- A table's CHECK reads its columns at every update of the row; with a long list of recipients, that costs more than the
-- update itself. A domain is checked only when a value is created: by INSERT, COPY or assignment.
CREATE DOMAIN notify.recipients AS text[]
    CONSTRAINT ent_notification_recipients_check
    CHECK (cardinality(VALUE) > 0 AND array_position(VALUE, NULL) IS NULL AND '' <> ALL (VALUE));
COMMENT ON DOMAIN notify.recipients IS
    'Novu subscriber ids, or topic:KEY for a topic: at least one, none null or empty.';

CREATE DOMAIN notify.payload AS jsonb
    CONSTRAINT ent_notification_payload_check CHECK (jsonb_typeof(VALUE) = 'object');
COMMENT ON DOMAIN notify.payload IS 'A JSON object.';
