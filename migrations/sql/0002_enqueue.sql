-- notify.enqueue for producers and for tenants: it inserts a notification. Only this file creates it, so that a downgrade
-- to this revision can run the file again.
SET search_path = pg_catalog, pg_temp;

-- It still runs with the caller's rights, so that a producer's own function may enqueue for a login without rights.
-- A caller without the right to insert is a tenant: notify.enqueue_own calls this function again with its owner's rights.
CREATE OR REPLACE FUNCTION notify.enqueue(
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
) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    workflow_id bigint;
    notification_id bigint;
BEGIN
    IF NOT has_column_privilege('notify.ent_notification', 'recipients', 'INSERT') THEN
        RETURN notify.enqueue_own(enqueue.enterprise_id, enqueue.workflow_key, enqueue.recipients, enqueue.payload,
            enqueue.name, enqueue.channels, enqueue.overrides, enqueue.tags, enqueue.priority, enqueue.dedup_key,
            enqueue.scheduled_for, enqueue.expires_at);
    END IF;
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
    expires_at timestamptz
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF enqueue_own.enterprise_id IS DISTINCT FROM notify.require_enterprise() THEN
        RAISE EXCEPTION 'enterprise "%": your login is not bound to it', enqueue_own.enterprise_id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN notify.enqueue(enqueue_own.enterprise_id, enqueue_own.workflow_key, enqueue_own.recipients,
        enqueue_own.payload, enqueue_own.name, enqueue_own.channels, enqueue_own.overrides, enqueue_own.tags,
        enqueue_own.priority, enqueue_own.dedup_key, enqueue_own.scheduled_for, enqueue_own.expires_at);
END $$;
COMMENT ON FUNCTION notify.enqueue_own IS 'What notify.enqueue does for a tenant. Call notify.enqueue instead.';
