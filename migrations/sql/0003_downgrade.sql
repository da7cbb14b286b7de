-- Undo the revision of this number, so that the schema is as it was before it. Rows stay. The indexes and collations
-- go back by the files that changed them.
SET search_path = pg_catalog, pg_temp;

-- 0002_enqueue.sql creates them again.
DROP FUNCTION notify.enqueue, notify.enqueue_own;

DROP TRIGGER check_content ON notify.ent_notification;
DROP TRIGGER check_content ON notify.ent_notification_template;
DROP TRIGGER check_content ON notify.ent_notification_workflow;
DROP TRIGGER check_content ON notify.ent_notification_rule;
DROP FUNCTION notify.check_notification, notify.check_template, notify.check_workflow, notify.check_rule,
    notify.payload_bytes, notify.check_enterprise, notify.read_recipients;

ALTER DOMAIN notify.payload DROP CONSTRAINT ent_notification_payload_check;
ALTER DOMAIN notify.payload ADD CONSTRAINT ent_notification_payload_check
    CHECK (jsonb_typeof(VALUE) = 'object') NOT VALID;
ALTER DOMAIN notify.recipients DROP CONSTRAINT ent_notification_recipients_check;
ALTER DOMAIN notify.recipients ADD CONSTRAINT ent_notification_recipients_check
    CHECK (cardinality(VALUE) > 0 AND array_position(VALUE, NULL) IS NULL AND '' <> ALL (VALUE)) NOT VALID;
DROP FUNCTION notify.refuse;

ALTER TABLE notify.ent_enterprise DROP COLUMN payload_bytes;
