"""The rules' life: what became of each, who is told of a change, the chores, and when the next row comes due."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

PRODUCERS = """enterprise_id, name, notification_workflow_id, trigger_type, trigger_config, rule_payload, publish_status,
    deactivated"""

# From here on a rule's `updated_at` is when its writer changed it, not when it fired.
COLUMNS = f"""
CREATE TYPE notify.rule_status AS ENUM ('SCHEDULED', 'PAUSED', 'DONE', 'INVALID', 'FAILED');
ALTER TABLE notify.ent_notification_rule
    ADD COLUMN rule_status notify.rule_status,
    ADD COLUMN rule_error TEXT,
    ADD COLUMN done_for TIMESTAMP WITH TIME ZONE,
    ADD COLUMN last_fired_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN last_outcome TEXT,
    DROP CONSTRAINT ent_notification_rule_enterprise_check,
    DROP CONSTRAINT ent_notification_rule_config_check,
    DROP CONSTRAINT ent_notification_rule_payload_check,
    ADD CONSTRAINT ent_notification_rule_enterprise_check CHECK (octet_length(enterprise_id) BETWEEN 1 AND 255),
    ADD CONSTRAINT ent_notification_rule_name_check CHECK (char_length(name) <= 1000),
    ADD CONSTRAINT ent_notification_rule_config_check
        CHECK (jsonb_typeof(trigger_config) = 'object' AND octet_length(trigger_config::text) <= 16384),
    ADD CONSTRAINT ent_notification_rule_payload_check
        CHECK (jsonb_typeof(rule_payload) = 'object' AND octet_length(rule_payload::text) <= 1048576),
    ADD CONSTRAINT ent_notification_rule_outcome_check
        CHECK (last_outcome IN ('created', 'repeated', 'inactive', 'no_recipients', 'gone'));

REVOKE INSERT, UPDATE ON notify.ent_notification_rule FROM xnovu_tenant;
GRANT INSERT ({PRODUCERS}), UPDATE ({PRODUCERS}) ON notify.ent_notification_rule TO xnovu_tenant;

DROP TRIGGER keep_updated_at ON notify.ent_notification_rule;
CREATE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE OF {PRODUCERS}, created_at, updated_at
    ON notify.ent_notification_rule FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
"""

# A rule of before may still be paused, or be made another one.
GUARD = """
CREATE FUNCTION notify.guard_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rule: nothing fires a rule of the trigger type EVENT'
        USING ERRCODE = 'check_violation',
            HINT = 'Insert the notification where the event happens, in its transaction: '
                'SELECT notify.enqueue(...). A rule fires at times: CRON or SCHEDULE.';
END $$;
CREATE TRIGGER guard_insert BEFORE INSERT ON notify.ent_notification_rule
    FOR EACH ROW WHEN (NEW.trigger_type = 'EVENT') EXECUTE FUNCTION notify.guard_event();
CREATE TRIGGER guard_update BEFORE UPDATE OF trigger_type ON notify.ent_notification_rule
    FOR EACH ROW WHEN (NEW.trigger_type = 'EVENT' AND OLD.trigger_type <> 'EVENT')
    EXECUTE FUNCTION notify.guard_event();
"""

# One notification a transaction: PostgreSQL folds equal ones. None on what the worker writes, or it would wake itself.
TELL = """
CREATE FUNCTION notify.tell_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('xnovu_rules', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT OR DELETE ON notify.ent_notification_rule
    FOR EACH ROW EXECUTE FUNCTION notify.tell_rules();
CREATE TRIGGER tell_change
    AFTER UPDATE OF enterprise_id, trigger_type, trigger_config, publish_status, deactivated
    ON notify.ent_notification_rule FOR EACH ROW
    WHEN ((OLD.enterprise_id, OLD.trigger_type, OLD.trigger_config, OLD.publish_status, OLD.deactivated)
        IS DISTINCT FROM (NEW.enterprise_id, NEW.trigger_type, NEW.trigger_config, NEW.publish_status, NEW.deactivated))
    EXECUTE FUNCTION notify.tell_rules();
"""

CHORES = """
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
GRANT SELECT, INSERT, UPDATE, DELETE ON notify.chore TO xnovu_worker;
"""

# A condition that holds for every row, and that no claim states, keeps the claims' planner from it, see 0006.
NEXT_DUE = """
CREATE INDEX ent_notification_scheduled_time ON notify.ent_notification (scheduled_for)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated AND priority <= 9;
"""

# The worker asks once a minute when the next row comes due; what comes sooner than it asks has to tell.
WAKE = """
DROP TRIGGER wake ON notify.ent_notification;
CREATE CONSTRAINT TRIGGER wake
    AFTER INSERT OR UPDATE OF publish_status, deactivated, scheduled_for ON notify.ent_notification
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.notification_status = 'PENDING' AND NEW.publish_status = 'PUBLISH' AND NOT NEW.deactivated
        AND (NEW.scheduled_for IS NULL OR NEW.scheduled_for <= clock_timestamp(){ahead}))
    EXECUTE FUNCTION notify.wake();
"""

BEFORE = """
DROP INDEX notify.ent_notification_scheduled_time;
DROP TABLE notify.chore;
DROP FUNCTION notify.tell_rules, notify.guard_event CASCADE;
DROP TRIGGER keep_updated_at ON notify.ent_notification_rule;
CREATE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_notification_rule
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
REVOKE INSERT, UPDATE ON notify.ent_notification_rule FROM xnovu_tenant;
GRANT INSERT, UPDATE ON notify.ent_notification_rule TO xnovu_tenant;
ALTER TABLE notify.ent_notification_rule
    DROP COLUMN rule_status,
    DROP COLUMN rule_error,
    DROP COLUMN done_for,
    DROP COLUMN last_fired_at,
    DROP COLUMN last_outcome,
    DROP CONSTRAINT ent_notification_rule_enterprise_check,
    DROP CONSTRAINT ent_notification_rule_config_check,
    DROP CONSTRAINT ent_notification_rule_name_check,
    DROP CONSTRAINT ent_notification_rule_payload_check,
    ADD CONSTRAINT ent_notification_rule_enterprise_check CHECK (enterprise_id <> ''),
    ADD CONSTRAINT ent_notification_rule_config_check CHECK (jsonb_typeof(trigger_config) = 'object'),
    ADD CONSTRAINT ent_notification_rule_payload_check CHECK (jsonb_typeof(rule_payload) = 'object');
DROP TYPE notify.rule_status;
"""


def upgrade() -> None:
    for statements in (
        COLUMNS,
        GUARD,
        TELL,
        CHORES,
        NEXT_DUE,
        WAKE.replace("{ahead}", " + interval '2 minutes'"),
    ):
        op.execute(statements)


def downgrade() -> None:
    op.execute(WAKE.replace("{ahead}", ""))
    op.execute(BEFORE)
