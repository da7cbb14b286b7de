-- Undo the revision of this number, so that the schema is as it was before it. Rows stay
-- as far as the older schema can hold them.
SET search_path = pg_catalog, pg_temp;

CREATE OR REPLACE TRIGGER guard_update BEFORE UPDATE ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_update();
