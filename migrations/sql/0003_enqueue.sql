-- notify.enqueue, which can return the id of the notification that already has the dedup_key: an error would abort the
-- transaction of the producer.
SET search_path = pg_catalog, pg_temp;

DROP FUNCTION notify.enqueue, notify.enqueue_own;
-- It runs with the caller's rights, as before, and calls notify.enqueue_own for a tenant. The enterprise's own workflow
-- wins over the global workflow with the same key. An unpublished workflow is no error here: the notification ends DEAD
-- with the reason.
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
    expires_at timestamptz DEFAULT NULL,
    on_duplicate text DEFAULT 'error'
) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    workflow_id bigint;
    notification_id bigint;
    is_same boolean;
BEGIN
    IF NOT has_column_privilege('notify.ent_notification', 'recipients', 'INSERT') THEN
        RETURN notify.enqueue_own(enqueue.enterprise_id, enqueue.workflow_key, enqueue.recipients, enqueue.payload,
            enqueue.name, enqueue.channels, enqueue.overrides, enqueue.tags, enqueue.priority, enqueue.dedup_key,
            enqueue.scheduled_for, enqueue.expires_at, enqueue.on_duplicate);
    END IF;
    IF coalesce(on_duplicate, '') NOT IN ('error', 'return') THEN
        PERFORM notify.refuse('enqueue_on_duplicate', 'enqueue: on_duplicate is neither error nor return',
            'Write on_duplicate => ''return'' to get the id of the notification with this dedup_key.');
    ELSIF priority NOT BETWEEN 0 AND 9 THEN
        PERFORM notify.refuse('ent_notification_priority_check', format('notification: priority is %s', priority),
            'It lies between 0 and 9; higher is sent first.');
    END IF;
    SELECT workflow.id INTO workflow_id
    FROM notify.ent_notification_workflow AS workflow
    WHERE workflow.workflow_key = enqueue.workflow_key
        AND (workflow.enterprise_id = enqueue.enterprise_id OR workflow.enterprise_id IS NULL)
    ORDER BY workflow.enterprise_id NULLS LAST
    LIMIT 1;
    IF workflow_id IS NULL THEN
        PERFORM notify.check_enterprise(enqueue.enterprise_id);
        RAISE EXCEPTION 'workflow "%": enterprise "%" has no workflow of this key, and there is no global one',
            enqueue.workflow_key, enqueue.enterprise_id
            USING ERRCODE = 'foreign_key_violation',
                HINT = 'Insert it into notify.ent_notification_workflow first.';
    END IF;
    -- Twice at most, unless others delete the notification of this key between the two statements.
    FOR tried IN 1..10 LOOP
        -- It waits for a transaction that inserts the same key, and inserts only if it rolls back.
        INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, payload, recipients,
            channels, overrides, tags, priority, dedup_key, scheduled_for, expires_at)
        VALUES (enqueue.enterprise_id, coalesce(enqueue.name, enqueue.workflow_key), workflow_id, enqueue.payload,
            enqueue.recipients, enqueue.channels, enqueue.overrides, enqueue.tags, enqueue.priority,
            enqueue.dedup_key, enqueue.scheduled_for, enqueue.expires_at)
        ON CONFLICT (enterprise_id, dedup_key) WHERE dedup_key IS NOT NULL DO NOTHING
        RETURNING id INTO notification_id;
        IF notification_id IS NOT NULL OR enqueue.dedup_key IS NULL THEN
            RETURN notification_id;
        END IF;
        -- A statement of its own, so that it sees the row that was committed while the insert waited.
        SELECT existing.id, existing.payload = enqueue.payload AND workflow.workflow_key = enqueue.workflow_key
            AND (notify.read_recipients(existing.recipients)).usable = (notify.read_recipients(enqueue.recipients)).usable
        INTO notification_id, is_same
        FROM notify.ent_notification AS existing
        LEFT JOIN notify.ent_notification_workflow AS workflow ON workflow.id = existing.notification_workflow_id
        WHERE existing.enterprise_id = enqueue.enterprise_id AND existing.dedup_key = enqueue.dedup_key;
        EXIT WHEN notification_id IS NOT NULL;
    END LOOP;
    IF is_same AND on_duplicate = 'return' THEN
        RETURN notification_id;
    END IF;
    RAISE EXCEPTION 'notification: the dedup_key is that of notification %, which has % (ent_notification_dedup)',
        coalesce(notification_id::text, 'another transaction'),
        CASE WHEN is_same THEN 'the same content' ELSE 'another workflow, payload or other recipients' END
        USING ERRCODE = 'unique_violation', SCHEMA = 'notify', TABLE = 'ent_notification',
            CONSTRAINT = 'ent_notification_dedup',
            HINT = CASE WHEN is_same THEN 'Write on_duplicate => ''return'' to get its id instead of this error.'
                ELSE 'Write another dedup_key for another notification.' END;
END $$;
COMMENT ON FUNCTION notify.enqueue IS
    'Insert a notification for a workflow that is named by its key; return its id. With on_duplicate => ''return'', the '
    'id of the notification with the same dedup_key, if it has the same workflow, recipients and payload. For example: '
    'SELECT notify.enqueue(''acme'', ''welcome'', ARRAY[''user-1''], ''{"name": "Ann"}'').';

-- It runs with its owner's rights because a tenant may not insert. So it must check for whom it inserts.
CREATE FUNCTION notify.enqueue_own(
    enterprise_id text,
    workflow_key text,
    recipients text[],
    payload jsonb,
    name text,
    channels notify.channel_type[],
    overrides jsonb,
    tags text[],
    priority int,
    dedup_key text,
    scheduled_for timestamptz,
    expires_at timestamptz,
    on_duplicate text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF enqueue_own.enterprise_id IS DISTINCT FROM notify.require_enterprise() THEN
        RAISE EXCEPTION 'enterprise "%": your login is not bound to it', enqueue_own.enterprise_id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN notify.enqueue(enqueue_own.enterprise_id, enqueue_own.workflow_key, enqueue_own.recipients,
        enqueue_own.payload, enqueue_own.name, enqueue_own.channels, enqueue_own.overrides, enqueue_own.tags,
        enqueue_own.priority, enqueue_own.dedup_key, enqueue_own.scheduled_for, enqueue_own.expires_at,
        enqueue_own.on_duplicate);
END $$;
COMMENT ON FUNCTION notify.enqueue_own IS 'What notify.enqueue does for a tenant. Call notify.enqueue instead.';
