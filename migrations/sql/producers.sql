-- The functions for producers: enqueue a notification, retract one. A plain INSERT into notify.ent_notification
-- works as well as notify.enqueue(). A tenant cannot retract by UPDATE, because only the worker writes those columns.
SET search_path = pg_catalog, pg_temp;

-- It runs with the caller's rights, so that row-level security keeps a tenant to its own enterprise. The enterprise's
-- own workflow wins over the global workflow with the same key. An unpublished workflow is no error here: the
-- notification ends DEAD with the reason.
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
    SELECT workflow.id INTO workflow_id
    FROM notify.ent_notification_workflow AS workflow
    WHERE workflow.workflow_key = enqueue.workflow_key
        AND (workflow.enterprise_id = enqueue.enterprise_id OR workflow.enterprise_id IS NULL)
    ORDER BY workflow.enterprise_id NULLS LAST
    LIMIT 1;
    IF workflow_id IS NULL THEN
        RAISE EXCEPTION 'workflow "%": enterprise "%" has no workflow of this key, and there is no global one',
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
COMMENT ON FUNCTION notify.enqueue IS
    'Insert a notification for a workflow that is named by its key; return its id. For example: '
    'SELECT notify.enqueue(''acme'', ''welcome'', ARRAY[''user-1''], ''{"name": "Ann"}'').';

-- It runs with its owner's rights because it writes the worker's columns. So it must check whose notification it is: a
-- caller who is not a member of xnovu_worker reaches only the rows of app.current_enterprise_id.
CREATE FUNCTION notify.retract(id bigint, reason text DEFAULT 'retracted')
RETURNS notify.notification_status LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    -- current_user is the owner here; the caller is the role of SET ROLE, or else the login.
    caller name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    status notify.notification_status;
BEGIN
    -- Lock the row in a separate statement, so that the next statement sees all that an executor wrote meanwhile.
    PERFORM FROM notify.ent_notification AS notification
    WHERE notification.id = retract.id
        AND (pg_has_role(caller, 'xnovu_worker', 'USAGE')
            OR notification.enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''))
    FOR UPDATE;

    UPDATE notify.ent_notification AS notification SET
        retraction_reason = coalesce(notification.retraction_reason, retract.reason),
        retract_requested_at = coalesce(notification.retract_requested_at, clock_timestamp()),
        notification_status = CASE WHEN decision.at_once THEN 'RETRACTED' ELSE notification.notification_status END,
        retracted_at = CASE WHEN decision.at_once THEN clock_timestamp() END,
        lease_expires_at = CASE WHEN NOT decision.at_once THEN notification.lease_expires_at END,
        send_until = CASE WHEN NOT decision.at_once THEN notification.send_until END,
        -- SENT stays SENT: the worker asks Novu to cancel steps that are still delayed or digested. A FAILED row with an
        -- unknown outcome needs that too, so let the failed loop claim it now.
        next_attempt_at = CASE WHEN notification.notification_status = 'FAILED' THEN clock_timestamp()
            ELSE notification.next_attempt_at END
    FROM (
        -- Retract at once only if Novu cannot have any of it: nothing is being sent, and no outcome is unknown or accepted.
        SELECT candidate.id,
            candidate.notification_status <> 'SENT' AND candidate.send_until IS NULL
                AND candidate.unknown_outcomes = 0 AND NOT EXISTS (
                    SELECT FROM notify.ent_notification_delivery AS delivery
                    WHERE delivery.notification_id = candidate.id AND delivery.outcome IN ('accepted', 'unknown')
                ) AS at_once
        FROM notify.ent_notification AS candidate
        WHERE candidate.id = retract.id
            AND candidate.notification_status IN ('PENDING', 'FAILED', 'PROCESSING', 'SENT')
            AND (pg_has_role(caller, 'xnovu_worker', 'USAGE')
                OR candidate.enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''))
        FOR UPDATE
    ) AS decision
    WHERE notification.id = decision.id
    RETURNING notification.notification_status INTO status;

    -- DEAD and RETRACTED do not change, but the caller gets the state.
    IF NOT FOUND THEN
        SELECT notification.notification_status INTO status
        FROM notify.ent_notification AS notification
        WHERE notification.id = retract.id
            AND (pg_has_role(caller, 'xnovu_worker', 'USAGE')
                OR notification.enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''));
    END IF;
    RETURN status;
END $$;
REVOKE ALL ON FUNCTION notify.retract FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.retract TO xnovu_tenant, xnovu_worker;
COMMENT ON FUNCTION notify.retract IS
    'Withdraw a notification; return its state afterwards. RETRACTED: nothing goes out. PROCESSING or FAILED: a send decides. '
    'SENT: the worker asks Novu to cancel what it still delays. DEAD: it had been given up. Null: you have no such '
    'notification.';
