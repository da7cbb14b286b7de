"""The SQL for producers: enqueue a notification, retract one."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Runs with the caller's rights: a tenant enqueues for itself alone. The enterprise's own workflow of the
# key wins over the global one. An unpublished workflow is no error here: the notification ends DEAD and
# says so.
ENQUEUE = """
CREATE FUNCTION notify.enqueue(
    enterprise_id text,
    workflow_key text,
    recipients text[],
    payload jsonb DEFAULT '{}',
    name text DEFAULT NULL,
    channels notify.channel_type[] DEFAULT NULL,
    overrides jsonb DEFAULT NULL,
    tags text[] DEFAULT NULL,
    priority int DEFAULT 0,
    dedup_key text DEFAULT NULL,
    scheduled_for timestamptz DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    workflow_id bigint;
    notification_id bigint;
BEGIN
    SELECT w.id INTO workflow_id
    FROM notify.ent_notification_workflow w
    WHERE w.workflow_key = enqueue.workflow_key
        AND (w.enterprise_id = enqueue.enterprise_id OR w.enterprise_id IS NULL)
    ORDER BY w.enterprise_id NULLS LAST
    LIMIT 1;
    IF workflow_id IS NULL THEN
        RAISE EXCEPTION 'workflow "%": enterprise "%" has none of this key, and no global one exists',
            enqueue.workflow_key, enqueue.enterprise_id
            USING ERRCODE = 'foreign_key_violation',
                HINT = 'Insert it into notify.ent_notification_workflow first.';
    END IF;
    INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, payload, recipients,
        channels, overrides, tags, priority, dedup_key, scheduled_for, expires_at)
    VALUES (enqueue.enterprise_id, coalesce(enqueue.name, enqueue.workflow_key), workflow_id, enqueue.payload,
        enqueue.recipients, enqueue.channels, enqueue.overrides, enqueue.tags, enqueue.priority,
        enqueue.dedup_key, enqueue.scheduled_for, enqueue.expires_at)
    RETURNING id INTO notification_id;
    RETURN notification_id;
END $$;
"""

# Runs with its owner's rights, for it writes the machine's columns; so it asks whose notification it is.
# A caller who is not of xnovu_worker reaches the rows of app.current_enterprise_id alone.
RETRACT = """
CREATE FUNCTION notify.retract(id bigint, reason text DEFAULT 'retracted')
RETURNS notify.notification_status LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    caller name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    status notify.notification_status;
BEGIN
    -- A statement of its own: the next one then sees what an executor wrote while this one waited for the row.
    PERFORM FROM notify.ent_notification n WHERE n.id = retract.id
        AND (pg_has_role(caller, 'xnovu_worker', 'USAGE')
            OR n.enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''))
    FOR UPDATE;
    UPDATE notify.ent_notification n SET
        retraction_reason = coalesce(n.retraction_reason, retract.reason),
        retract_requested_at = coalesce(n.retract_requested_at, clock_timestamp()),
        notification_status = CASE WHEN settled.at_once THEN 'RETRACTED' ELSE n.notification_status END,
        retracted_at = CASE WHEN settled.at_once THEN clock_timestamp() END,
        lease_expires_at = CASE WHEN NOT settled.at_once THEN n.lease_expires_at END,
        send_until = CASE WHEN NOT settled.at_once THEN n.send_until END,
        -- What is SENT stays so, and the worker asks Novu to cancel what it still delays or digests.
        -- After an unknown outcome Novu's cancel has to be called: let the failed loop come for it now.
        next_attempt_at = CASE WHEN n.notification_status = 'FAILED' THEN clock_timestamp() ELSE n.next_attempt_at END
    FROM (
        SELECT m.id, m.notification_status <> 'SENT' AND m.send_until IS NULL AND m.unknown_outcomes = 0 AND NOT EXISTS (
            SELECT FROM notify.ent_notification_delivery d
            WHERE d.notification_id = m.id AND d.outcome IN ('accepted', 'unknown')) AS at_once
        FROM notify.ent_notification m
        WHERE m.id = retract.id AND m.notification_status IN ('PENDING', 'FAILED', 'PROCESSING', 'SENT')
            AND (pg_has_role(caller, 'xnovu_worker', 'USAGE')
                OR m.enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''))
        FOR UPDATE
    ) AS settled
    WHERE n.id = settled.id
    RETURNING n.notification_status INTO status;
    IF NOT FOUND THEN
        SELECT n.notification_status INTO status
        FROM notify.ent_notification n
        WHERE n.id = retract.id AND (pg_has_role(caller, 'xnovu_worker', 'USAGE')
            OR n.enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''));
    END IF;
    RETURN status;
END $$;
REVOKE ALL ON FUNCTION notify.retract FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.retract TO xnovu_tenant, xnovu_worker;
COMMENT ON FUNCTION notify.retract IS
    'Withdraw a notification; returns its state afterwards (RETRACTED; PROCESSING or FAILED if a send decides; SENT if '
    'it was sent: Novu is then asked to cancel what it still delays; DEAD; null if there is none).';
"""


def upgrade() -> None:
    op.execute(ENQUEUE)
    op.execute(RETRACT)


def downgrade() -> None:
    op.execute("DROP FUNCTION notify.enqueue, notify.retract")
