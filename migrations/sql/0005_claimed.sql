-- The time of the last claim, and room in each page for the rows that the worker writes. A claim, a hold and a record each
-- write a row; in the same page, the hold changes no index, and the log gets only what differs.
SET search_path = pg_catalog, pg_temp;

-- The locks first, as in 0002_keys.sql.
SET LOCAL lock_timeout = '1500ms';
LOCK TABLE notify.ent_notification IN SHARE UPDATE EXCLUSIVE MODE;
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification IN ACCESS EXCLUSIVE MODE;

ALTER TABLE notify.ent_notification ADD COLUMN claimed_at TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN notify.ent_notification.claimed_at IS 'When it was last claimed; null: never yet.';
COMMENT ON COLUMN notify.ent_notification.lease_expires_at IS
    'While PROCESSING: from then on, unless a call to Novu is under way, the rescue asks Temporal whether anybody still '
    'works on it.';
ALTER TABLE notify.ent_notification SET (fillfactor = 60);

-- The new column is the worker's too.
DROP TRIGGER guard_insert ON notify.ent_notification;
CREATE TRIGGER guard_insert BEFORE INSERT ON notify.ent_notification
    FOR EACH ROW
    WHEN (NEW.notification_status IS DISTINCT FROM 'PENDING' OR NEW.attempt IS DISTINCT FROM 0
        OR NEW.failure_count IS DISTINCT FROM 0 OR NEW.refusals IS DISTINCT FROM 0
        OR NEW.unknown_outcomes IS DISTINCT FROM 0 OR NEW.lapses IS DISTINCT FROM 0
        OR num_nonnulls(NEW.claimed_at, NEW.lease_expires_at, NEW.send_until, NEW.next_attempt_at,
            NEW.retract_requested_at, NEW.processed_at, NEW.retracted_at, NEW.temporal_workflow_id, NEW.error_details,
            NEW.retraction_reason) > 0
        OR NEW.transaction_id !~ '^xn-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        OR NEW.created_at IS DISTINCT FROM now() OR NEW.updated_at IS DISTINCT FROM now())
    EXECUTE FUNCTION notify.guard_insert();
