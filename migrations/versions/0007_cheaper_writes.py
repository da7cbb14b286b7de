"""Cheaper writes: wake-ups that are debounced, guards and rules that look at a column only where it is written."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Whoever notifies holds a lock of the whole database until its commit is on disk, so that notifiers commit one
# after the other. The sequence holds the millisecond of the last wake-up, seen at once by all: one that comes
# within twenty of it leaves the notifying to the one before, and the worker's next turn meets its row.
# Deferred: asked at the commit, not at an insert whose transaction stays open or is rolled back.
# A clock that was set back notifies anew. With the producer's rights, for to take the owner's costs more than all the
# rest; only what writes the sequence has those. Each name and operator has its schema (a SET clause would cost more): a
# deferred trigger runs by the session's path, and from PostgreSQL 18 on with the rights of the function that inserted.
# A producer that may not enter the schema by its commit (a function with another's rights inserted for it) notifies
# each time.
WAKE = """
DROP FUNCTION notify.wake_on_insert, notify.wake_on_update CASCADE;
CREATE SEQUENCE notify.last_wakeup_ms MINVALUE 0;
GRANT SELECT ON SEQUENCE notify.last_wakeup_ms TO PUBLIC;
CREATE FUNCTION notify.tell_due() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM setval('notify.last_wakeup_ms', (date_part('epoch', clock_timestamp()) * 1000)::bigint);
    PERFORM pg_notify('xnovu_due', '');
END $$;
GRANT EXECUTE ON FUNCTION notify.tell_due TO PUBLIC;
CREATE FUNCTION notify.wake() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    passed pg_catalog.float8;
BEGIN
    IF NOT pg_catalog.has_schema_privilege('notify', 'USAGE') THEN
        PERFORM pg_catalog.pg_notify('xnovu_due', '');
        RETURN NULL;
    END IF;
    passed := pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000
        OPERATOR(pg_catalog.-) pg_catalog.pg_sequence_last_value('notify.last_wakeup_ms');
    IF passed OPERATOR(pg_catalog.>=) 0 AND passed OPERATOR(pg_catalog.<=) 20 THEN
        RETURN NULL;
    END IF;
    PERFORM notify.tell_due();
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER wake
    AFTER INSERT OR UPDATE OF publish_status, deactivated, scheduled_for ON notify.ent_notification
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.notification_status = 'PENDING' AND NEW.publish_status = 'PUBLISH' AND NOT NEW.deactivated
        AND (NEW.scheduled_for IS NULL OR NEW.scheduled_for <= clock_timestamp()))
    EXECUTE FUNCTION notify.wake();
"""

# As in 0002, where every insert that is due notifies.
WAKE_EACH = """
DROP FUNCTION notify.wake, notify.tell_due CASCADE;
DROP SEQUENCE notify.last_wakeup_ms;
CREATE FUNCTION notify.wake_on_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('xnovu_due', '')
    WHERE EXISTS (
        SELECT FROM inserted
        WHERE publish_status = 'PUBLISH' AND NOT deactivated
            AND (scheduled_for IS NULL OR scheduled_for <= clock_timestamp()));
    RETURN NULL;
END $$;
CREATE TRIGGER wake_on_insert AFTER INSERT ON notify.ent_notification
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION notify.wake_on_insert();

CREATE FUNCTION notify.wake_on_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('xnovu_due', '');
    RETURN NULL;
END $$;
CREATE TRIGGER wake_on_update AFTER UPDATE OF publish_status, deactivated, scheduled_for ON notify.ent_notification
    FOR EACH ROW WHEN (NEW.notification_status = 'PENDING') EXECUTE FUNCTION notify.wake_on_update();
"""

# A table's CHECK reads its columns at every update of the row, and a long list of recipients then costs more than
# the update. A domain's is asked wherever a value is made (insert, COPY, assignment), and by no other update.
# Made empty first: a column that takes a type with a rule is written anew, a rule that comes later only reads.
DOMAINS = """
ALTER TABLE notify.ent_notification
    DROP CONSTRAINT ent_notification_recipients_check, DROP CONSTRAINT ent_notification_payload_check;
CREATE DOMAIN notify.recipients AS text[];
CREATE DOMAIN notify.payload AS jsonb;
ALTER TABLE notify.ent_notification
    ALTER COLUMN recipients TYPE notify.recipients, ALTER COLUMN payload TYPE notify.payload;
ALTER DOMAIN notify.recipients ADD CONSTRAINT ent_notification_recipients_check
    CHECK (cardinality(VALUE) > 0 AND array_position(VALUE, NULL) IS NULL AND '' <> ALL (VALUE));
ALTER DOMAIN notify.payload ADD CONSTRAINT ent_notification_payload_check CHECK (jsonb_typeof(VALUE) = 'object');
"""

CHECKS = """
ALTER TABLE notify.ent_notification
    ALTER COLUMN recipients TYPE text[], ALTER COLUMN payload TYPE jsonb,
    ADD CONSTRAINT ent_notification_recipients_check
        CHECK (cardinality(recipients) > 0 AND array_position(recipients, NULL) IS NULL AND '' <> ALL (recipients)),
    ADD CONSTRAINT ent_notification_payload_check CHECK (jsonb_typeof(payload) = 'object');
DROP DOMAIN notify.recipients;
DROP DOMAIN notify.payload;
"""

STATES = """
    IF NEW.notification_status <> OLD.notification_status AND move NOT IN (
        'PENDING > PROCESSING', 'FAILED > PROCESSING',
        'PROCESSING > SENT', 'PROCESSING > FAILED', 'PROCESSING > DEAD', 'PROCESSING > PENDING',
        'PENDING > RETRACTED', 'FAILED > RETRACTED', 'PROCESSING > RETRACTED',
        'DEAD > PENDING', 'RETRACTED > PENDING')
    THEN
        RAISE EXCEPTION 'notification %: % is not a lawful transition', OLD.id, move
            USING ERRCODE = 'check_violation';
    END IF;
    IF claimed AND (NEW.attempt <> OLD.attempt + 1 OR NEW.notification_status <> 'PROCESSING')
        OR NOT claimed AND NEW.notification_status = 'PROCESSING' AND OLD.notification_status <> 'PROCESSING'
    THEN
        RAISE EXCEPTION 'notification %: attempt counts the claims; it rises by one with each and never falls', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;"""

# Of the one transaction that makes a new deployment, see 0005.
FROZEN = """
    IF renamed AND OLD.notification_status <> 'SENT' AND NEW.notification_status NOT IN ('PROCESSING', 'SENT')
        AND NEW.transaction_id ~ '^xn-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    THEN
        renamed := NOT EXISTS (SELECT FROM notify.deployment WHERE xmin = pg_current_xact_id()::xid);
    END IF;
    IF (NEW.id, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.created_at)
        OR renamed
        OR OLD.attempt > 0 AND (NEW.enterprise_id, NEW.notification_workflow_id, NEW.recipients, NEW.payload,
            NEW.channels, NEW.overrides) IS DISTINCT FROM (OLD.enterprise_id, OLD.notification_workflow_id,
            OLD.recipients, OLD.payload, OLD.channels, OLD.overrides)
    THEN
        RAISE EXCEPTION 'notification %: what is sent does not change once it has been claimed', OLD.id
            USING ERRCODE = 'check_violation',
                HINT = 'Enterprise, workflow, recipients, payload, channels and overrides are frozen by the first '
                    'claim; retract the notification and insert another.';
    END IF;"""

# No other BEFORE trigger may write one of these columns, or guard_frozen would not see it: `guard_update` writes
# updated_at alone.
GUARDS = f"""
CREATE OR REPLACE FUNCTION notify.guard_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    move text := OLD.notification_status || ' > ' || NEW.notification_status;
    claimed boolean := NEW.attempt <> OLD.attempt;
BEGIN{STATES}
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE FUNCTION notify.guard_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    move text := OLD.notification_status || ' > ' || NEW.notification_status;
    renamed boolean := NEW.transaction_id <> OLD.transaction_id AND move <> 'RETRACTED > PENDING';
BEGIN{FROZEN}
    RETURN NEW;
END $$;
CREATE TRIGGER guard_frozen
    BEFORE UPDATE OF id, created_at, transaction_id, enterprise_id, notification_workflow_id, recipients, payload,
        channels, overrides ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_frozen();
"""

# As in 0005.
GUARD_ALL = f"""
DROP FUNCTION notify.guard_frozen CASCADE;
CREATE OR REPLACE FUNCTION notify.guard_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    move text := OLD.notification_status || ' > ' || NEW.notification_status;
    claimed boolean := NEW.attempt <> OLD.attempt;
    renamed boolean := NEW.transaction_id <> OLD.transaction_id AND move <> 'RETRACTED > PENDING';
BEGIN{STATES}{FROZEN}
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    for statements in (WAKE, DOMAINS, GUARDS):
        op.execute(statements)


def downgrade() -> None:
    for statements in (GUARD_ALL, CHECKS, WAKE_EACH):
        op.execute(statements)
