-- The bounds of an enterprise (notify.ent_enterprise): every program's notifications, rules and workflows keep to them.
-- Enterprises share Novu's subscribers, topics and workflow keys, so Novu itself could not keep them apart.
SET search_path = pg_catalog, pg_temp;

-- It runs with its owner's rights because the writer may not read the row of every enterprise. A leading blank counts for
-- nothing, or " topic:a" would pass for a subscriber here and be a topic once it is trimmed.
CREATE FUNCTION notify.is_within_bounds(enterprise_id text, workflow_id bigint, recipients text[])
RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bounds notify.ent_enterprise;
BEGIN
    SELECT * INTO bounds FROM notify.ent_enterprise AS e WHERE e.enterprise_id = is_within_bounds.enterprise_id;
    IF NOT FOUND OR num_nonnulls(bounds.subscriber_prefix, bounds.topic_prefix, bounds.workflow_keys) = 0 THEN
        RETURN true;
    END IF;
    RETURN NOT EXISTS (
            SELECT FROM unnest(recipients) AS given, regexp_replace(given, '^\s+', '') AS recipient
            WHERE NOT CASE WHEN starts_with(recipient, 'topic:')
                THEN starts_with(recipient, 'topic:' || coalesce(bounds.topic_prefix, ''))
                ELSE starts_with(recipient, coalesce(bounds.subscriber_prefix, '')) END
        ) AND NOT EXISTS (
            SELECT FROM notify.ent_notification_workflow AS w
            WHERE w.id = workflow_id AND w.enterprise_id IS NOT NULL AND w.workflow_key <> ALL (bounds.workflow_keys)
        );
END $$;
COMMENT ON FUNCTION notify.is_within_bounds IS
    'Whether an enterprise may address these recipients by this workflow: see the table ent_enterprise.';

-- The triggers run after the row was written and row-level security has agreed, or a writer could find out the bounds of
-- other enterprises. Most enterprises have none: find that out at once.
CREATE FUNCTION notify.guard_bounds() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM notify.ent_enterprise AS e WHERE e.enterprise_id = NEW.enterprise_id)
        AND NOT notify.is_within_bounds(NEW.enterprise_id, NEW.notification_workflow_id, NEW.recipients)
    THEN
        RAISE EXCEPTION 'notification: its workflow or a recipient is outside the bounds of enterprise "%"', NEW.enterprise_id
            USING ERRCODE = 'check_violation', HINT = 'notify.ent_enterprise has the bounds; an administrator sets them.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION notify.guard_bounds IS 'Trigger: refuse a notification outside the bounds of its enterprise.';
CREATE TRIGGER guard_bounds
    AFTER INSERT OR UPDATE OF enterprise_id, notification_workflow_id, recipients ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_bounds();

CREATE FUNCTION notify.guard_rule_bounds() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT notify.is_within_bounds(NEW.enterprise_id, NEW.notification_workflow_id, ARRAY(
        SELECT value FROM jsonb_array_elements_text(CASE jsonb_typeof(NEW.rule_payload -> 'recipients')
            WHEN 'array' THEN NEW.rule_payload -> 'recipients' ELSE '[]' END) AS named (value)))
    THEN
        RAISE EXCEPTION 'rule: its workflow or a recipient is outside the bounds of enterprise "%"', NEW.enterprise_id
            USING ERRCODE = 'check_violation', HINT = 'notify.ent_enterprise has the bounds; an administrator sets them.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION notify.guard_rule_bounds IS 'Trigger: refuse a rule outside the bounds of its enterprise.';
CREATE TRIGGER guard_bounds
    AFTER INSERT OR UPDATE OF enterprise_id, notification_workflow_id, rule_payload ON notify.ent_notification_rule
    FOR EACH ROW EXECUTE FUNCTION notify.guard_rule_bounds();

CREATE FUNCTION notify.guard_workflow_bounds() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM notify.ent_enterprise AS e
        WHERE e.enterprise_id = NEW.enterprise_id AND NEW.workflow_key <> ALL (e.workflow_keys))
    THEN
        RAISE EXCEPTION 'workflow "%": enterprise "%" may not have a workflow of this key',
            NEW.workflow_key, NEW.enterprise_id
            USING ERRCODE = 'check_violation', HINT = 'Let an administrator add the key to its workflow_keys in notify.ent_enterprise.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION notify.guard_workflow_bounds IS
    'Trigger: refuse a workflow of an enterprise whose key an administrator has not allowed.';
CREATE TRIGGER guard_bounds AFTER INSERT OR UPDATE OF enterprise_id, workflow_key ON notify.ent_notification_workflow
    FOR EACH ROW EXECUTE FUNCTION notify.guard_workflow_bounds();
