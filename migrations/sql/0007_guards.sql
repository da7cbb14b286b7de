-- A condition on the guard of updates, which knows the moves of every notification. If the statement sets updated_at itself,
-- the function does not run for them.
SET search_path = pg_catalog, pg_temp;

-- The locks first, as in 0002_keys.sql.
SET LOCAL lock_timeout = '1500ms';
LOCK TABLE notify.ent_notification IN SHARE ROW EXCLUSIVE MODE;

-- The function decides about all other moves, and writes the sentence of a refusal. A time passes only if
-- it lies within the statement that writes it.
CREATE OR REPLACE TRIGGER guard_update BEFORE UPDATE ON notify.ent_notification
    FOR EACH ROW
    WHEN ((NEW.updated_at BETWEEN statement_timestamp() AND clock_timestamp()
        AND (NEW.attempt = OLD.attempt AND OLD.notification_status = 'PROCESSING'
                AND NEW.notification_status IN ('PROCESSING', 'SENT')
            OR NEW.attempt = OLD.attempt + 1 AND NEW.notification_status = 'PROCESSING'
                AND OLD.notification_status IN ('PENDING', 'FAILED', 'PROCESSING'))) IS NOT TRUE)
    EXECUTE FUNCTION notify.guard_update();
