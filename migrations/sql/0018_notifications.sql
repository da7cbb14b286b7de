-- What the API does with notifications of the enterprise of a key: enqueue many, retract and revive one.
-- Each function keeps to the enterprise of the transaction.
SET search_path = pg_catalog, pg_temp;

-- It runs with the caller's rights, so row-level security keeps it to the enterprise. It names the enterprise itself, so that a
-- request needs one statement, which is its transaction. A row is new if it has the
-- time of the transaction.
CREATE FUNCTION notify.enqueue_many(enterprise_id text, notifications jsonb, dedup_key text DEFAULT NULL)
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
COMMENT ON FUNCTION notify.enqueue_many IS
    'For the API: enqueue all notifications of a list, or none. `is_new` is false for a notification that was there under its '
    'dedup_key. If a notification is refused, the DETAIL of the error is its place in the list.';

-- What a person does by `xnovu notification retract` and `revive`, for the caller's enterprise, with a line in the audit. Both
-- run with their owner's rights because they write the worker's columns.
CREATE FUNCTION notify.retract_own(id bigint, reason text, actor text) RETURNS notify.notification_status
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    enterprise CONSTANT text := notify.require_enterprise();
    ended CONSTANT boolean := EXISTS (
        SELECT FROM notify.ent_notification AS n WHERE n.id = retract_own.id AND n.notification_status IN ('DEAD', 'RETRACTED'));
    status CONSTANT notify.notification_status := notify.retract(retract_own.id, retract_own.reason);
BEGIN
    IF status IS NOT NULL THEN
        INSERT INTO notify.ent_audit (action, actor, enterprise_id, filters, reason, counted, changed, finished_at)
        VALUES ('retract', retract_own.actor, enterprise, jsonb_build_object('ids', jsonb_build_array(retract_own.id)),
            retract_own.reason, 1, CASE WHEN ended THEN 0 ELSE 1 END, clock_timestamp());
    END IF;
    RETURN status;
END $$;
COMMENT ON FUNCTION notify.retract_own IS
    'What notify.retract does, for the API: only notifications of the enterprise, and with a line in the audit.';

CREATE FUNCTION notify.revive_own(
    id bigint, actor text, OUT is_there boolean, OUT is_doubtful boolean, OUT status notify.notification_status
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    enterprise CONSTANT text := notify.require_enterprise();
    ended record;
BEGIN
    is_doubtful := false;
    SELECT n.notification_status, coalesce(n.processed_at, n.retracted_at) AS ended_at,
        n.notification_status = 'RETRACTED' AND n.error_details ? 'delivery' AS renamed,
        n.unknown_outcomes > 0 OR EXISTS (
            SELECT FROM notify.ent_notification_delivery AS d
            WHERE d.notification_id = n.id AND d.outcome = 'unknown') AS doubtful
    INTO ended FROM notify.ent_notification AS n
    WHERE n.id = revive_own.id AND n.enterprise_id = enterprise FOR NO KEY UPDATE;
    is_there := FOUND;
    status := ended.notification_status;
    IF NOT is_there OR status NOT IN ('DEAD', 'RETRACTED') THEN
        RETURN;
    END IF;
    -- Novu drops a repeat for 30 days.
    is_doubtful := ended.doubtful AND NOT coalesce(ended.renamed, false)
        AND ended.ended_at <= clock_timestamp() - interval '25 days';
    IF is_doubtful THEN
        RETURN;
    END IF;
    -- Novu was asked to cancel a renamed row, so its chunks are made again; otherwise refused chunks are sent again.
    IF ended.renamed THEN
        DELETE FROM notify.ent_notification_delivery AS d
        WHERE d.notification_id = revive_own.id AND d.outcome IS DISTINCT FROM 'accepted';
    ELSE
        UPDATE notify.ent_notification_delivery AS d SET outcome = NULL, error_details = NULL, answered_at = NULL
        WHERE d.notification_id = revive_own.id AND d.outcome = 'refused';
    END IF;
    UPDATE notify.ent_notification AS n SET notification_status = 'PENDING', failure_count = 0, lapses = 0,
        next_attempt_at = NULL, processed_at = NULL, error_details = NULL, retract_requested_at = NULL, retracted_at = NULL,
        retraction_reason = NULL,
        transaction_id = CASE WHEN ended.renamed THEN 'xn-' || gen_random_uuid() ELSE n.transaction_id END,
        unknown_outcomes = CASE WHEN ended.renamed THEN 0 ELSE n.unknown_outcomes END
    WHERE n.id = revive_own.id RETURNING n.notification_status INTO status;
    INSERT INTO notify.ent_audit (action, actor, enterprise_id, filters, counted, changed, finished_at)
    VALUES ('revive', revive_own.actor, enterprise, jsonb_build_object('ids', jsonb_build_array(revive_own.id)), 1, 1,
        clock_timestamp());
    PERFORM pg_notify('xnovu_due', '');
END $$;
COMMENT ON FUNCTION notify.revive_own IS
    'What `xnovu notification revive` does with a notification, for the API: only of the enterprise, and with a line in the '
    'audit. `is_doubtful`: unchanged, because Novu may have accepted it too long ago.';

-- The acts on rules are here too, because they leave the same lines.
CREATE FUNCTION notify.switch_rule_own(id bigint, deactivated boolean, actor text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    enterprise CONSTANT text := notify.require_enterprise();
BEGIN
    UPDATE notify.ent_notification_rule AS r SET deactivated = switch_rule_own.deactivated
    WHERE r.id = switch_rule_own.id AND r.enterprise_id = enterprise;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO notify.ent_audit (action, actor, enterprise_id, filters, counted, changed, finished_at)
    VALUES (CASE WHEN switch_rule_own.deactivated THEN 'pause rule' ELSE 'resume rule' END, switch_rule_own.actor, enterprise,
        jsonb_build_object('rule', switch_rule_own.id), 1, 1, clock_timestamp());
    RETURN true;
END $$;
COMMENT ON FUNCTION notify.switch_rule_own IS
    'Pause a rule of the enterprise, or resume it, for the API, with a line in the audit; false: there is none.';

CREATE FUNCTION notify.audit_fire_own(id bigint, actor text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO notify.ent_audit (action, actor, enterprise_id, filters, counted, finished_at)
    VALUES ('fire rule', audit_fire_own.actor, notify.require_enterprise(), jsonb_build_object('rule', audit_fire_own.id), 1,
        clock_timestamp())
$$;
COMMENT ON FUNCTION notify.audit_fire_own IS
    'Leave a line in the audit before Temporal fires a rule of the enterprise over the API.';

REVOKE ALL ON FUNCTION notify.enqueue_many, notify.retract_own, notify.revive_own, notify.switch_rule_own, notify.audit_fire_own
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.enqueue_many, notify.retract_own, notify.revive_own, notify.switch_rule_own,
    notify.audit_fire_own TO xnovu_api;
