-- The logins with rows of each loop, and the enterprises of each login. Nobody waits for these statements. They can be
-- repeated after an interruption.
SET search_path = pg_catalog, pg_temp;

-- The condition on created_by holds for every row. A comparison with a login implies it, so the planner uses these indexes
-- for the round of logins only; otherwise it may skip through them in search of an enterprise.
-- They wait for transactions that are under way, and nobody waits for them.
SET lock_timeout = '5min';
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_new_login
    ON notify.ent_notification (created_by text_pattern_ops, enterprise_id text_pattern_ops)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated AND created_by IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_scheduled_login
    ON notify.ent_notification (created_by text_pattern_ops, enterprise_id text_pattern_ops)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated AND created_by IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_failed_login
    ON notify.ent_notification (created_by text_pattern_ops, enterprise_id text_pattern_ops)
    WHERE notification_status = 'FAILED' AND publish_status = 'PUBLISH' AND NOT deactivated
        AND created_by IS NOT NULL;
SET lock_timeout = '900ms';
