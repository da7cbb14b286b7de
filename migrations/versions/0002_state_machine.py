"""The guards: no writer makes an unlawful transition, and none but the machine writes its columns."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

GUARD_INSERT = """
CREATE FUNCTION notify.guard_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.notification_status, NEW.attempt, NEW.failure_count, NEW.refusals, NEW.unknown_outcomes, NEW.lapses)
            IS DISTINCT FROM ('PENDING'::notify.notification_status, 0, 0, 0, 0, 0)
        OR num_nonnulls(NEW.lease_expires_at, NEW.send_until, NEW.next_attempt_at, NEW.retract_requested_at,
            NEW.processed_at, NEW.retracted_at, NEW.temporal_workflow_id, NEW.error_details,
            NEW.retraction_reason) > 0
        OR NEW.transaction_id !~ '^xn-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        OR (NEW.created_at, NEW.updated_at) IS DISTINCT FROM (now(), now())
    THEN
        RAISE EXCEPTION 'notification: an insert sets a column that the machine alone writes'
            USING ERRCODE = 'check_violation',
                HINT = 'Leave out notification_status, transaction_id, attempt, the counters and all times but '
                    'scheduled_for and expires_at.';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_insert BEFORE INSERT ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_insert();
"""

# The pairs stand in lifecycle.LAWFUL_MOVES too; a test compares the two by trying every pair.
GUARD_UPDATE = """
CREATE FUNCTION notify.guard_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    move text := OLD.notification_status || ' > ' || NEW.notification_status;
    claimed boolean := NEW.attempt <> OLD.attempt;
BEGIN
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
    END IF;
    IF (NEW.id, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.created_at)
        OR NEW.transaction_id <> OLD.transaction_id AND move <> 'RETRACTED > PENDING'
        OR OLD.attempt > 0 AND (NEW.enterprise_id, NEW.notification_workflow_id, NEW.recipients, NEW.payload,
            NEW.channels, NEW.overrides) IS DISTINCT FROM (OLD.enterprise_id, OLD.notification_workflow_id,
            OLD.recipients, OLD.payload, OLD.channels, OLD.overrides)
    THEN
        RAISE EXCEPTION 'notification %: what is sent does not change once it has been claimed', OLD.id
            USING ERRCODE = 'check_violation',
                HINT = 'Enterprise, workflow, recipients, payload, channels and overrides are frozen by the first '
                    'claim; retract the notification and insert another.';
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER guard_update BEFORE UPDATE ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_update();
"""

# On an insert too: the worker reads this time, and a tenant could write one that Python cannot ('infinity').
KEEP_UPDATED_AT = """
CREATE FUNCTION notify.keep_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_notification_workflow
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
CREATE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_notification_template
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
CREATE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_notification_rule
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
"""

# One notification a transaction at most: PostgreSQL folds equal ones. None on changes of status, or
# our own claims would wake us.
WAKE = """
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


def upgrade() -> None:
    for statements in (GUARD_INSERT, GUARD_UPDATE, KEEP_UPDATED_AT, WAKE):
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION notify.guard_insert, notify.guard_update, notify.keep_updated_at,
            notify.wake_on_insert, notify.wake_on_update CASCADE
        """
    )
