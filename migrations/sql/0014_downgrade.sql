-- Undo the revision of this number, so that the schema is as it was before it. Pauses are forgotten, so what they held back
-- is claimed.
SET search_path = pg_catalog, pg_temp;

DROP INDEX notify.ent_notification_new_workflow, notify.ent_notification_scheduled_workflow,
    notify.ent_notification_failed_workflow;
ALTER TABLE notify.ent_enterprise_limit DROP COLUMN burst, DROP COLUMN released_to;
DROP TABLE notify.pause, notify.brake_count;
