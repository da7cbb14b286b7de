-- Undo the revision of this number, so that the schema is as it was before it. Rows stay
-- as far as the older schema can hold them.
SET search_path = pg_catalog, pg_temp;

DROP FUNCTION notify.save_rule;
CREATE FUNCTION notify.save_rule(
    name text,
    workflow_key text,
    trigger_type notify.rule_trigger_type,
    trigger_config jsonb,
    rule_payload jsonb,
    publish_status notify.publish_status DEFAULT 'DRAFT',
    deactivated boolean DEFAULT false,
    id bigint DEFAULT NULL
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
            trigger_config, rule_payload, publish_status, deactivated)
        VALUES (enterprise, save_rule.name, workflow_id, save_rule.trigger_type, save_rule.trigger_config,
            save_rule.rule_payload, save_rule.publish_status, save_rule.deactivated)
        RETURNING ent_notification_rule.id INTO kept_id;
    ELSE
        UPDATE notify.ent_notification_rule AS r SET
            name = save_rule.name, notification_workflow_id = workflow_id, trigger_type = save_rule.trigger_type,
            trigger_config = save_rule.trigger_config, rule_payload = save_rule.rule_payload,
            publish_status = save_rule.publish_status, deactivated = save_rule.deactivated
        WHERE r.id = save_rule.id AND r.enterprise_id = enterprise
        RETURNING r.id INTO kept_id;
    END IF;
    RETURN kept_id;
END $$;
COMMENT ON FUNCTION notify.save_rule IS
    'Insert a rule of your enterprise, or replace your rule of this id; return its id. Null: you have no such rule.';
REVOKE ALL ON FUNCTION notify.save_rule FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.save_rule TO xnovu_tenant, xnovu_producer;

DROP VIEW notify.my_rules;
CREATE VIEW notify.my_rules WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, notification_workflow_id, trigger_type, trigger_config, rule_payload, publish_status,
    deactivated, created_at, updated_at, rule_status, rule_error, done_for, last_fired_at, last_outcome
FROM notify.ent_notification_rule
WHERE enterprise_id = (SELECT notify.current_enterprise());
COMMENT ON VIEW notify.my_rules IS 'The rules of your enterprise.';
GRANT SELECT ON notify.my_rules TO xnovu_tenant, xnovu_producer;

UPDATE notify.ent_notification_rule SET last_outcome = 'no_recipients' WHERE last_outcome = 'refused';
ALTER TABLE notify.ent_notification_rule
    DROP CONSTRAINT ent_notification_rule_outcome_check,
    ADD CONSTRAINT ent_notification_rule_outcome_check
        CHECK (last_outcome IN ('created', 'repeated', 'inactive', 'no_recipients', 'gone'));
COMMENT ON COLUMN notify.ent_notification_rule.last_outcome IS
    'How the last firing ended. created: it made its notification. repeated: the same firing had made it before. inactive: '
    'the rule was off by then. no_recipients: the payload names none. gone: the row had been deleted.';
ALTER TABLE notify.ent_notification DROP COLUMN fired_at;
DROP TRIGGER guard_rule ON notify.ent_notification_rule;
DROP FUNCTION notify.guard_rule;
DROP TRIGGER keep_updated_at ON notify.ent_notification_rule;
CREATE TRIGGER keep_updated_at
    BEFORE INSERT OR UPDATE OF enterprise_id, name, notification_workflow_id, trigger_type, trigger_config,
        rule_payload, publish_status, deactivated, created_at, updated_at
    ON notify.ent_notification_rule
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
DROP INDEX notify.ent_notification_rule_unfollowed;
ALTER TABLE notify.ent_notification_rule
    DROP COLUMN channels,
    DROP COLUMN priority,
    DROP COLUMN overrides,
    DROP COLUMN expires_after,
    DROP COLUMN followed_at;
COMMENT ON COLUMN notify.ent_notification_rule.trigger_config IS
    'The times: {"cron": "0 9 * * 1-5", "timezone": "Asia/Shanghai"} or {"at": "2030-01-01T09:00:00+08:00"}. 16 KB at most.';

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
