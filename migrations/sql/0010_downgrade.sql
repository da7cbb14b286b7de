-- Undo the revision of this number, so that the schema is as it was before it. Novu keeps its workflows; the record
-- of what we wrote to them is forgotten.
SET search_path = pg_catalog, pg_temp;

DROP TRIGGER wake ON notify.ent_notification_workflow;
DROP TABLE notify.workflow_sync;
COMMENT ON FUNCTION notify.wake_rules IS 'Trigger: notify xnovu_rules that a rule has changed.';
