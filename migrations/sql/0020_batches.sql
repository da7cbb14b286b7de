-- notify.enqueue_many inserts a list by one statement, which takes a sixth of the time of a statement for each notification.
-- The way of 0018_notifications.sql is notify.enqueue_each now: it finds duplicates, and the place of a fault.
SET search_path = pg_catalog, pg_temp;

CREATE FUNCTION notify.enqueue_each(enterprise_id text, notifications jsonb, dedup_key text DEFAULT NULL)
RETURNS TABLE (place int, id bigint, is_new boolean) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    item record;
    kept record;
    made bigint[] := '{}';
    state text;
    sentence text;
    advice text;
    rule text;
BEGIN
    PERFORM set_config('app.current_enterprise_id', enqueue_each.enterprise_id, true);
    place := -1;
    FOR item IN
        SELECT each.* FROM jsonb_to_recordset(notifications) AS each (workflow_key text, recipients text[], payload jsonb, name text,
            channels notify.channel_type[], overrides jsonb, tags text[], priority int, dedup_key text,
            scheduled_for timestamptz, expires_at timestamptz, locale text, time_zone text, actor text, context jsonb,
            exclude text[], subscribers jsonb)
    LOOP
        place := place + 1;
        -- Novu would change the subscriber for all enterprises, as in notify.enqueue_own.
        IF item.subscribers IS NOT NULL AND NOT EXISTS (
            SELECT FROM notify.ent_enterprise AS e
            WHERE e.enterprise_id = enqueue_each.enterprise_id AND e.subscriber_prefix IS NOT NULL)
        THEN
            RAISE EXCEPTION 'notification: your enterprise may not write subscribers, because it has no subscriber_prefix'
                USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'ent_notification_subscribers_check',
                    HINT = 'Let an administrator set subscriber_prefix in notify.ent_enterprise.';
        END IF;
        id := notify.enqueue(enqueue_each.enterprise_id, item.workflow_key, item.recipients, coalesce(item.payload, '{}'),
            item.name, item.channels, item.overrides, item.tags, coalesce(item.priority, 0),
            coalesce(enqueue_each.dedup_key, item.dedup_key), item.scheduled_for, item.expires_at, 'return', item.locale,
            item.time_zone, item.actor, item.context, item.exclude, item.subscribers);
        is_new := true;
        IF coalesce(enqueue_each.dedup_key, item.dedup_key) IS NOT NULL THEN
            SELECT n.created_at = now() AND n.created_by = session_user AND n.id <> ALL (made) AS is_new,
                (n.name, n.channels, n.overrides, n.tags, n.priority, n.scheduled_for, n.expires_at, n.locale, n.time_zone,
                    n.actor, n.context, n.exclude, n.subscribers)
                IS NOT DISTINCT FROM (coalesce(item.name, item.workflow_key), item.channels, item.overrides, item.tags,
                    coalesce(item.priority, 0)::smallint, item.scheduled_for, item.expires_at, item.locale, item.time_zone,
                    ((notify.read_recipients(ARRAY[item.actor])).usable)[1], item.context,
                    (notify.read_recipients(item.exclude)).usable, item.subscribers) AS is_same
            INTO kept FROM notify.ent_notification AS n WHERE n.id = enqueue_each.id;
            is_new := kept.is_new;
            made := made || id;
            -- notify.enqueue has compared workflow, payload and recipients.
            IF NOT kept.is_new AND NOT kept.is_same THEN
                RAISE EXCEPTION 'notification: the dedup_key is that of notification %, which has another content', id
                    USING ERRCODE = 'unique_violation', CONSTRAINT = 'ent_notification_dedup',
                        HINT = 'Write another dedup_key for another notification.';
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
EXCEPTION WHEN integrity_constraint_violation OR data_exception OR insufficient_privilege THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, sentence = MESSAGE_TEXT, advice = PG_EXCEPTION_HINT,
        rule = CONSTRAINT_NAME;
    RAISE EXCEPTION '%', sentence USING ERRCODE = state, HINT = advice, CONSTRAINT = rule, DETAIL = place::text;
END $$;
COMMENT ON FUNCTION notify.enqueue_each IS
    'What notify.enqueue_many does if a notification is there already or is refused: one after the other.';

-- It runs with the caller's rights, so row-level security keeps it to the enterprise. It names the enterprise itself, so that a
-- request needs one statement, which is its transaction. All that is not a list of new notifications goes the other way, after
-- what this way wrote was undone.
CREATE OR REPLACE FUNCTION notify.enqueue_many(enterprise_id text, notifications jsonb, dedup_key text DEFAULT NULL)
RETURNS TABLE (place int, id bigint, is_new boolean) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    ids bigint[];
BEGIN
    PERFORM set_config('app.current_enterprise_id', enqueue_many.enterprise_id, true);
    BEGIN
        WITH items AS MATERIALIZED (
            -- The list, each with its place.
            SELECT each.* FROM ROWS FROM (jsonb_to_recordset(notifications) AS (workflow_key text, recipients text[],
                payload jsonb, name text, channels notify.channel_type[], overrides jsonb, tags text[], priority int,
                dedup_key text, scheduled_for timestamptz, expires_at timestamptz, locale text, time_zone text, actor text,
                context jsonb, exclude text[], subscribers jsonb)) WITH ORDINALITY AS each
        ), workflows AS MATERIALIZED (
            -- The workflow of each key: the enterprise's own wins over the global workflow.
            SELECT keys.workflow_key, (
                SELECT w.id FROM notify.ent_notification_workflow AS w
                WHERE w.workflow_key = keys.workflow_key
                    AND (w.enterprise_id = enqueue_many.enterprise_id OR w.enterprise_id IS NULL)
                ORDER BY w.enterprise_id NULLS LAST LIMIT 1) AS id
            FROM (SELECT DISTINCT items.workflow_key FROM items) AS keys
        ), inserted AS (
            -- In the order of the list, so the ids have its order too.
            INSERT INTO notify.ent_notification (enterprise_id, name, notification_workflow_id, payload, recipients, channels,
                overrides, tags, priority, dedup_key, scheduled_for, expires_at, locale, time_zone, actor, context, exclude)
            SELECT enqueue_many.enterprise_id, coalesce(items.name, items.workflow_key), workflows.id,
                coalesce(items.payload, '{}'), items.recipients, items.channels, items.overrides, items.tags,
                coalesce(items.priority, 0), coalesce(enqueue_many.dedup_key, items.dedup_key), items.scheduled_for,
                items.expires_at, items.locale, items.time_zone, items.actor, items.context, items.exclude
            FROM items JOIN workflows ON workflows.workflow_key = items.workflow_key AND workflows.id IS NOT NULL
            WHERE items.subscribers IS NULL
            ORDER BY items.ordinality
            RETURNING id
        )
        SELECT array_agg(inserted.id ORDER BY inserted.id) INTO ids FROM inserted;
        IF cardinality(ids) IS DISTINCT FROM jsonb_array_length(notifications) THEN
            RAISE EXCEPTION 'enqueue: not every notification of the list can be inserted' USING ERRCODE = 'check_violation';
        END IF;
    EXCEPTION WHEN integrity_constraint_violation OR data_exception OR insufficient_privilege THEN
        RETURN QUERY SELECT * FROM notify.enqueue_each(enqueue_many.enterprise_id, notifications, enqueue_many.dedup_key);
        RETURN;
    END;
    RETURN QUERY SELECT (made.ordinality - 1)::int, made.id, true FROM unnest(ids) WITH ORDINALITY AS made (id, ordinality);
END $$;

REVOKE ALL ON FUNCTION notify.enqueue_each FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.enqueue_each TO xnovu_api;
