-- Undo the revision of this number, so that the schema is as it was before it. The lines of the audit are lost, so nobody
-- knows any more who retracted or revived what.
SET search_path = pg_catalog, pg_temp;

DROP TABLE notify.ent_audit;
DROP INDEX notify.ent_notification_listed;
