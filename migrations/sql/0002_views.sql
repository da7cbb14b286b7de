-- The views of tenants: each shows what the caller's enterprise may see, and nobody may write it. And the two older views,
-- now with a barrier: without it, a cheap function of the reader's own would see the rows of others before the filter.
SET search_path = pg_catalog, pg_temp;

CREATE OR REPLACE VIEW notify.v_workflow_stats AS
SELECT enterprise_id, workflow_type, count(*) AS workflow_count,
    count(*) FILTER (WHERE publish_status = 'PUBLISH') AS published_count
FROM notify.ent_notification_workflow
WHERE NOT deactivated
    AND ((SELECT notify.bound_enterprise()) IS NULL AND pg_has_role(current_user, 'xnovu_worker', 'USAGE')
        OR enterprise_id = (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true)))
        OR enterprise_id IS NULL
            AND (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))) <> '')
GROUP BY enterprise_id, workflow_type;

CREATE OR REPLACE VIEW notify.v_notification_stats AS
SELECT enterprise_id, notification_status, count(*) AS notification_count,
    date_trunc('hour', created_at) AS hour_bucket
FROM notify.ent_notification
WHERE created_at >= now() - interval '24 hours'
    AND ((SELECT notify.bound_enterprise()) IS NULL AND pg_has_role(current_user, 'xnovu_worker', 'USAGE')
        OR enterprise_id = (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))))
GROUP BY enterprise_id, notification_status, date_trunc('hour', created_at);

-- CREATE OR REPLACE VIEW has reset the options.
ALTER VIEW notify.v_workflow_stats SET (security_barrier = true);
ALTER VIEW notify.v_notification_stats SET (security_barrier = true);
DO $$
BEGIN
    IF current_setting('server_version_num')::int >= 150000 THEN
        ALTER VIEW notify.v_workflow_stats SET (security_invoker = true);
        ALTER VIEW notify.v_notification_stats SET (security_invoker = true);
    END IF;
END $$;

-- From here on the views run with their owner's rights on every version: a tenant has no right on tables.
CREATE VIEW notify.my_notifications WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, notification_workflow_id, notification_rule_id, payload, recipients, channels, overrides,
    tags, priority, dedup_key, publish_status, deactivated, scheduled_for, expires_at, notification_status, transaction_id,
    attempt, failure_count, next_attempt_at, retract_requested_at, processed_at, retracted_at, error_details,
    retraction_reason, created_at, updated_at
FROM notify.ent_notification
WHERE enterprise_id = (SELECT notify.current_enterprise());
COMMENT ON VIEW notify.my_notifications IS 'The notifications of your enterprise.';

CREATE VIEW notify.my_deliveries WITH (security_barrier = true) AS
SELECT notification_id, chunk, enterprise_id, recipients, transaction_id, outcome, error_details, answered_at, created_at
FROM notify.ent_notification_delivery
WHERE enterprise_id = (SELECT notify.current_enterprise());
COMMENT ON VIEW notify.my_deliveries IS 'The chunks of those notifications of your enterprise that need several calls.';

CREATE VIEW notify.my_workflows WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, description, workflow_type, workflow_key, default_channels, payload_schema,
    template_overrides, publish_status, deactivated, created_at, updated_at
FROM notify.ent_notification_workflow
WHERE enterprise_id = (SELECT notify.current_enterprise())
    OR enterprise_id IS NULL AND (SELECT notify.current_enterprise()) <> '';
COMMENT ON VIEW notify.my_workflows IS 'The workflows of your enterprise, and global rows.';

CREATE VIEW notify.my_templates WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, template_key, channel_type, subject_template, body_template, variables_description,
    publish_status, deactivated, created_at, updated_at
FROM notify.ent_notification_template
WHERE enterprise_id = (SELECT notify.current_enterprise())
    OR enterprise_id IS NULL AND (SELECT notify.current_enterprise()) <> '';
COMMENT ON VIEW notify.my_templates IS 'The templates of your enterprise, and global rows.';

CREATE VIEW notify.my_rules WITH (security_barrier = true) AS
SELECT id, enterprise_id, name, notification_workflow_id, trigger_type, trigger_config, rule_payload, publish_status,
    deactivated, created_at, updated_at, rule_status, rule_error, done_for, last_fired_at, last_outcome
FROM notify.ent_notification_rule
WHERE enterprise_id = (SELECT notify.current_enterprise());
COMMENT ON VIEW notify.my_rules IS 'The rules of your enterprise.';

CREATE VIEW notify.my_enterprise WITH (security_barrier = true) AS
SELECT enterprise_id, name, locale, time_zone, brand, subscriber_prefix, topic_prefix, workflow_keys, created_at, updated_at
FROM notify.ent_enterprise
WHERE enterprise_id = (SELECT notify.current_enterprise());
COMMENT ON VIEW notify.my_enterprise IS 'Your enterprise and its bounds.';

CREATE VIEW notify.my_limits WITH (security_barrier = true) AS
SELECT enterprise_id, rate, in_flight, created_at, updated_at
FROM notify.ent_enterprise_limit
WHERE enterprise_id = (SELECT notify.current_enterprise());
COMMENT ON VIEW notify.my_limits IS 'The limits of your enterprise.';

-- A column means the same in a view as in its table.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('COMMENT ON COLUMN notify.%I.%I IS %L', v.relname, column_of.attname,
            col_description(t.oid, origin.attnum))
        FROM (VALUES ('my_notifications', 'ent_notification'), ('my_deliveries', 'ent_notification_delivery'),
            ('my_workflows', 'ent_notification_workflow'), ('my_templates', 'ent_notification_template'),
            ('my_rules', 'ent_notification_rule'), ('my_enterprise', 'ent_enterprise'),
            ('my_limits', 'ent_enterprise_limit')) AS pair (view_name, table_name)
        JOIN pg_class AS v ON v.oid = to_regclass('notify.' || view_name)
        JOIN pg_class AS t ON t.oid = to_regclass('notify.' || table_name)
        JOIN pg_attribute AS column_of ON column_of.attrelid = v.oid AND column_of.attnum > 0
        JOIN pg_attribute AS origin ON origin.attrelid = t.oid AND origin.attname = column_of.attname
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;
