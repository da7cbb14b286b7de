-- Undo the revision of this number, so that a list is inserted as in 0018_notifications.sql.
-- No row changes.
SET search_path = pg_catalog, pg_temp;

CREATE OR REPLACE FUNCTION notify.enqueue_many(enterprise_id text, notifications jsonb, dedup_key text DEFAULT NULL)
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
    PERFORM set_config('app.current_enterprise_id', enqueue_many.enterprise_id, true);
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
            WHERE e.enterprise_id = enqueue_many.enterprise_id AND e.subscriber_prefix IS NOT NULL)
        THEN
            RAISE EXCEPTION 'notification: your enterprise may not write subscribers, because it has no subscriber_prefix'
                USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'ent_notification_subscribers_check',
                    HINT = 'Let an administrator set subscriber_prefix in notify.ent_enterprise.';
        END IF;
        id := notify.enqueue(enqueue_many.enterprise_id, item.workflow_key, item.recipients, coalesce(item.payload, '{}'),
            item.name, item.channels, item.overrides, item.tags, coalesce(item.priority, 0),
            coalesce(enqueue_many.dedup_key, item.dedup_key), item.scheduled_for, item.expires_at, 'return', item.locale,
            item.time_zone, item.actor, item.context, item.exclude, item.subscribers);
        is_new := true;
        IF coalesce(enqueue_many.dedup_key, item.dedup_key) IS NOT NULL THEN
            SELECT n.created_at = now() AND n.created_by = session_user AND n.id <> ALL (made) AS is_new,
                (n.name, n.channels, n.overrides, n.tags, n.priority, n.scheduled_for, n.expires_at, n.locale, n.time_zone,
                    n.actor, n.context, n.exclude, n.subscribers)
                IS NOT DISTINCT FROM (coalesce(item.name, item.workflow_key), item.channels, item.overrides, item.tags,
                    coalesce(item.priority, 0)::smallint, item.scheduled_for, item.expires_at, item.locale, item.time_zone,
                    ((notify.read_recipients(ARRAY[item.actor])).usable)[1], item.context,
                    (notify.read_recipients(item.exclude)).usable, item.subscribers) AS is_same
            INTO kept FROM notify.ent_notification AS n WHERE n.id = enqueue_many.id;
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

DROP FUNCTION notify.enqueue_each;
