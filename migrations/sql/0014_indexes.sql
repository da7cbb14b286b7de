-- The workflows with rows of each loop, in each enterprise: while a workflow is paused, claims step over its rows, however
-- many there are. Nobody waits for these statements. They can be repeated after an interruption.
SET search_path = pg_catalog, pg_temp;

-- A comparison with a workflow implies the condition on it, so the planner uses these indexes only where a workflow is
-- paused.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_new_workflow
    ON notify.ent_notification (enterprise_id text_pattern_ops, notification_workflow_id, priority, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated AND notification_workflow_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_scheduled_workflow
    ON notify.ent_notification (enterprise_id text_pattern_ops, notification_workflow_id, priority, scheduled_for, id)
    WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH'
        AND NOT deactivated AND notification_workflow_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_failed_workflow
    ON notify.ent_notification (enterprise_id text_pattern_ops, notification_workflow_id, priority, next_attempt_at, id)
    WHERE notification_status = 'FAILED' AND publish_status = 'PUBLISH' AND NOT deactivated
        AND notification_workflow_id IS NOT NULL;
