-- Undo the revision of this number, so that the schema is as it was before it. The counts of minutes and what workers have
-- reported are lost.
SET search_path = pg_catalog, pg_temp;

DROP POLICY reader ON notify.ent_notification;
DROP POLICY reader ON notify.ent_notification_delivery;
DROP POLICY reader ON notify.ent_notification_event;
DROP POLICY reader ON notify.ent_notification_rule;
DROP POLICY reader ON notify.ent_notification_template;
DROP POLICY reader ON notify.ent_notification_workflow;
DROP POLICY reader ON notify.ent_enterprise;
DROP POLICY reader ON notify.ent_enterprise_limit;
DROP POLICY reader ON notify.ent_audit;
DROP POLICY reader ON notify.pause;
DROP POLICY reader ON notify.brake_count;
DROP TABLE notify.minute, notify.worker_report;
REVOKE ALL ON ALL TABLES IN SCHEMA notify FROM xnovu_reader;
REVOKE ALL ON SCHEMA notify FROM xnovu_reader;

-- Another database may still need the role, or another login own it.
DO $$
BEGIN
    DROP OWNED BY xnovu_reader;
    DROP ROLE xnovu_reader;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
    RAISE NOTICE 'role xnovu_reader stays: another database needs it, or this login may not drop it';
END $$;
