-- Undo the revision of this number, so that the schema is as it was before it. The results of checks stay in their
-- rows, which the older schema has too.
SET search_path = pg_catalog, pg_temp;

DROP TRIGGER wake ON notify.ent_notification_template;
DROP INDEX notify.ent_notification_template_unsettled, notify.ent_notification_workflow_unsettled;
COMMENT ON FUNCTION notify.wake_rules IS 'Trigger: notify xnovu_rules that a rule or a workflow has changed.';
