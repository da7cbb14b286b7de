-- The new columns of rules for those who write rules: applications by columns and functions, tenants by functions and
-- views.
SET search_path = pg_catalog, pg_temp;

GRANT INSERT (channels, priority, overrides, expires_after), UPDATE (channels, priority, overrides, expires_after)
    ON notify.ent_notification_rule TO xnovu_producer;
REVOKE ALL ON FUNCTION notify.guard_rule FROM PUBLIC;

CREATE OR REPLACE VIEW notify.my_rules WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, notification_workflow_id, trigger_type, trigger_config, rule_payload, publish_status,
    deactivated, created_at, updated_at, rule_status, rule_error, done_for, last_fired_at, last_outcome,
    channels, priority, overrides, expires_after, followed_at
FROM notify.ent_notification_rule
WHERE enterprise_id = (SELECT notify.current_enterprise());
COMMENT ON VIEW notify.my_rules IS 'The rules of your enterprise.';
-- A column means the same in a view as in its table.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('COMMENT ON COLUMN notify.my_rules.%I IS %L', seen.attname,
            col_description(origin.attrelid, origin.attnum))
        FROM pg_attribute AS seen
        JOIN pg_attribute AS origin ON origin.attname = seen.attname
            AND origin.attrelid = 'notify.ent_notification_rule'::regclass
        WHERE seen.attrelid = 'notify.my_rules'::regclass
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;

DROP FUNCTION notify.save_rule;
CREATE FUNCTION notify.save_rule(
    name text,
    workflow_key text,
    trigger_type notify.rule_trigger_type,
    trigger_config jsonb,
    rule_payload jsonb,
    publish_status notify.publish_status DEFAULT 'DRAFT',
    deactivated boolean DEFAULT false,
    id bigint DEFAULT NULL,
    channels notify.channel_type[] DEFAULT NULL,
    priority int DEFAULT 0,
    overrides jsonb DEFAULT NULL,
    expires_after interval DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    enterprise text := notify.require_enterprise();
    workflow_id bigint;
    kept_id bigint;
BEGIN
    SELECT w.id INTO workflow_id
    FROM notify.ent_notification_workflow AS w
    WHERE w.workflow_key = save_rule.workflow_key AND (w.enterprise_id = enterprise OR w.enterprise_id IS NULL)
    ORDER BY w.enterprise_id NULLS LAST
    LIMIT 1;
    IF workflow_id IS NULL THEN
        RAISE EXCEPTION 'workflow "%": enterprise "%" has no workflow of this key, and there is no global one',
            save_rule.workflow_key, enterprise
            USING ERRCODE = 'foreign_key_violation', HINT = 'Call notify.save_workflow first.';
    END IF;
    IF save_rule.id IS NULL THEN
        INSERT INTO notify.ent_notification_rule (enterprise_id, name, notification_workflow_id, trigger_type,
            trigger_config, rule_payload, publish_status, deactivated, channels, priority, overrides, expires_after)
        VALUES (enterprise, save_rule.name, workflow_id, save_rule.trigger_type, save_rule.trigger_config,
            save_rule.rule_payload, save_rule.publish_status, save_rule.deactivated, save_rule.channels,
            save_rule.priority, save_rule.overrides, save_rule.expires_after)
        RETURNING ent_notification_rule.id INTO kept_id;
    ELSE
        UPDATE notify.ent_notification_rule AS r SET
            name = save_rule.name, notification_workflow_id = workflow_id, trigger_type = save_rule.trigger_type,
            trigger_config = save_rule.trigger_config, rule_payload = save_rule.rule_payload,
            publish_status = save_rule.publish_status, deactivated = save_rule.deactivated,
            channels = save_rule.channels, priority = save_rule.priority, overrides = save_rule.overrides,
            expires_after = save_rule.expires_after
        WHERE r.id = save_rule.id AND r.enterprise_id = enterprise
        RETURNING r.id INTO kept_id;
    END IF;
    RETURN kept_id;
END $$;
COMMENT ON FUNCTION notify.save_rule IS
    'Insert a rule of your enterprise, or replace your rule of this id; return its id. Null: you have no such rule.';
REVOKE ALL ON FUNCTION notify.save_rule FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.save_rule TO xnovu_tenant, xnovu_producer;
