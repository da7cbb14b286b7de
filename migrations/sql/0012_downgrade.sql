-- Undo the revision of this number, so that the schema is as it was before it. What left the straight way of the
-- notifications is forgotten; their rows keep the last error.
SET search_path = pg_catalog, pg_temp;

DROP TRIGGER append_event ON notify.ent_notification;
DROP FUNCTION notify.append_event;
DROP TABLE notify.ent_notification_event;
