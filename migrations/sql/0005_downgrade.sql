-- Undo the revision of this number, so that the schema is as it was before it. Rows stay
-- as far as the older schema can hold them.
SET search_path = pg_catalog, pg_temp;

DROP TRIGGER guard_insert ON notify.ent_notification;
CREATE TRIGGER guard_insert BEFORE INSERT ON notify.ent_notification
    FOR EACH ROW
    WHEN (NEW.notification_status IS DISTINCT FROM 'PENDING' OR NEW.attempt IS DISTINCT FROM 0
        OR NEW.failure_count IS DISTINCT FROM 0 OR NEW.refusals IS DISTINCT FROM 0
        OR NEW.unknown_outcomes IS DISTINCT FROM 0 OR NEW.lapses IS DISTINCT FROM 0
        OR num_nonnulls(NEW.lease_expires_at, NEW.send_until, NEW.next_attempt_at, NEW.retract_requested_at,
            NEW.processed_at, NEW.retracted_at, NEW.temporal_workflow_id, NEW.error_details,
            NEW.retraction_reason) > 0
        OR NEW.transaction_id !~ '^xn-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        OR NEW.created_at IS DISTINCT FROM now() OR NEW.updated_at IS DISTINCT FROM now())
    EXECUTE FUNCTION notify.guard_insert();
ALTER TABLE notify.ent_notification RESET (fillfactor);
ALTER TABLE notify.ent_notification DROP COLUMN claimed_at;
COMMENT ON COLUMN notify.ent_notification.lease_expires_at IS
    'While PROCESSING: from then on the rescue asks Temporal whether anybody still works on it.';
