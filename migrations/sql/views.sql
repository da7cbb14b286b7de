-- Two views for people and dashboards: how many workflows there are, and how the last day went.
-- On PostgreSQL 14 a view runs with its owner's rights, so each view must filter by the tenant itself.
SET search_path = pg_catalog, pg_temp;

CREATE VIEW notify.v_workflow_stats AS
SELECT enterprise_id, workflow_type, count(*) AS workflow_count,
    count(*) FILTER (WHERE publish_status = 'PUBLISH') AS published_count
FROM notify.ent_notification_workflow
WHERE NOT deactivated
    AND (pg_has_role(current_user, 'xnovu_worker', 'USAGE')
        OR enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), '')
        OR enterprise_id IS NULL AND NULLIF(current_setting('app.current_enterprise_id', true), '') IS NOT NULL)
GROUP BY enterprise_id, workflow_type;

COMMENT ON VIEW notify.v_workflow_stats IS
    'The number of workflows that are not deactivated. A tenant sees its own and the global workflows, xnovu_worker all.';
COMMENT ON COLUMN notify.v_workflow_stats.enterprise_id IS 'The enterprise; null: the global workflows.';
COMMENT ON COLUMN notify.v_workflow_stats.workflow_type IS 'STATIC or DYNAMIC.';
COMMENT ON COLUMN notify.v_workflow_stats.workflow_count IS 'How many there are.';
COMMENT ON COLUMN notify.v_workflow_stats.published_count IS 'How many of them are PUBLISH.';

CREATE VIEW notify.v_notification_stats AS
SELECT enterprise_id, notification_status, count(*) AS notification_count,
    date_trunc('hour', created_at) AS hour_bucket
FROM notify.ent_notification
WHERE created_at >= now() - interval '24 hours'
    AND (pg_has_role(current_user, 'xnovu_worker', 'USAGE')
        OR enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''))
GROUP BY enterprise_id, notification_status, date_trunc('hour', created_at);

COMMENT ON VIEW notify.v_notification_stats IS
    'How many notifications were created in each hour of the last day, by state. A tenant sees its own, xnovu_worker all.';
COMMENT ON COLUMN notify.v_notification_stats.enterprise_id IS 'The enterprise.';
COMMENT ON COLUMN notify.v_notification_stats.notification_status IS 'The state that they are in now.';
COMMENT ON COLUMN notify.v_notification_stats.notification_count IS 'How many there are.';
COMMENT ON COLUMN notify.v_notification_stats.hour_bucket IS 'The hour in which they were created.';

-- From PostgreSQL 15 on a view can run with its reader's rights, so that row-level security holds as well.
DO $$
BEGIN
    IF current_setting('server_version_num')::int >= 150000 THEN
        ALTER VIEW notify.v_workflow_stats SET (security_invoker = true);
        ALTER VIEW notify.v_notification_stats SET (security_invoker = true);
    END IF;
END $$;
