-- The indexes by key, in the order of bytes: in the order of a language, an update of the operating system's library
-- changes the order under an index, and a claim then misses enterprises. Nobody waits for these statements. They can be
-- repeated after an interruption.
SET search_path = pg_catalog, pg_temp;

-- They wait for transactions that are under way, and nobody waits for them.
SET lock_timeout = '5min';
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_new_next
    ON notify.ent_notification (enterprise_id text_pattern_ops, priority DESC, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_new_age_next
    ON notify.ent_notification (enterprise_id text_pattern_ops, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated AND priority >= 0;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_scheduled_next
    ON notify.ent_notification (enterprise_id text_pattern_ops, priority, scheduled_for, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_scheduled_age_next
    ON notify.ent_notification (enterprise_id text_pattern_ops, scheduled_for, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated AND priority >= 0;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_failed_next
    ON notify.ent_notification (enterprise_id text_pattern_ops, priority, next_attempt_at, id)
    WHERE notification_status = 'FAILED' AND publish_status = 'PUBLISH' AND NOT deactivated;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_failed_age_next
    ON notify.ent_notification (enterprise_id text_pattern_ops, next_attempt_at, id)
    WHERE notification_status = 'FAILED' AND publish_status = 'PUBLISH' AND NOT deactivated AND priority >= 0;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_in_flight_next
    ON notify.ent_notification (enterprise_id text_pattern_ops)
    WHERE notification_status = 'PROCESSING';
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_withdrawn_next
    ON notify.ent_notification (enterprise_id text_pattern_ops, retract_requested_at, id)
    WHERE notification_status = 'SENT' AND retract_requested_at IS NOT NULL AND error_details IS NULL;
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_dedup_next
    ON notify.ent_notification (enterprise_id text_pattern_ops, dedup_key text_pattern_ops)
    WHERE dedup_key IS NOT NULL;
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_workflow_global_next
    ON notify.ent_notification_workflow (workflow_key text_pattern_ops)
    WHERE enterprise_id IS NULL;
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_workflow_own_next
    ON notify.ent_notification_workflow (enterprise_id text_pattern_ops, workflow_key text_pattern_ops);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_template_global_next
    ON notify.ent_notification_template (template_key text_pattern_ops, channel_type)
    WHERE enterprise_id IS NULL;
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_template_own_next
    ON notify.ent_notification_template (enterprise_id text_pattern_ops, template_key text_pattern_ops, channel_type);

-- The new indexes serve meanwhile, under any name.
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_new;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_new_age;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_scheduled;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_scheduled_age;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_failed;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_failed_age;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_in_flight;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_withdrawn;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_dedup;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_workflow_global;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_workflow_own;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_template_global;
DROP INDEX CONCURRENTLY IF EXISTS notify.ent_notification_template_own;
SET lock_timeout = '900ms';
