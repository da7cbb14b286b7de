"""The identity of a copy: since when the deployment is here, and the one way to other transaction ids."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Workflows of before `known_since` say nothing about this database; null: there are none of before.
# The worker asks the sequence which notifications there have ever been.
DEPLOYMENT = """
ALTER TABLE notify.deployment ADD COLUMN known_since TIMESTAMP WITH TIME ZONE;
GRANT SELECT ON SEQUENCE notify.ent_notification_id_seq TO xnovu_worker;
"""

# As in 0002, but for the condition on a changed transaction id.
GUARD_UPDATE = """
CREATE OR REPLACE FUNCTION notify.guard_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    move text := OLD.notification_status || ' > ' || NEW.notification_status;
    claimed boolean := NEW.attempt <> OLD.attempt;
    renamed boolean := NEW.transaction_id <> OLD.transaction_id AND move <> 'RETRACTED > PENDING';
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
    END IF;{exception}
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
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
"""

# `xnovu db new-deployment`: the one transaction that writes the deployment may give what is not sent another id.
# A marker that nobody can forge: only xnovu_worker may write that row. A statement of its own, for a tenant
# may not even read it.
EXCEPTION = """
    IF renamed AND OLD.notification_status <> 'SENT' AND NEW.notification_status NOT IN ('PROCESSING', 'SENT')
        AND NEW.transaction_id ~ '^xn-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    THEN
        renamed := NOT EXISTS (SELECT FROM notify.deployment WHERE xmin = pg_current_xact_id()::xid);
    END IF;"""


def upgrade() -> None:
    op.execute(DEPLOYMENT)
    op.execute(GUARD_UPDATE.replace("{exception}", EXCEPTION))


def downgrade() -> None:
    op.execute(GUARD_UPDATE.replace("{exception}", ""))
    op.execute(
        """
        REVOKE SELECT ON SEQUENCE notify.ent_notification_id_seq FROM xnovu_worker;
        ALTER TABLE notify.deployment DROP COLUMN known_since;
        """
    )
