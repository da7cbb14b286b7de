-- Undo the revision of this number, so that the schema is as it was before it. Rows stay
-- as far as the older schema can hold them.
SET search_path = pg_catalog, pg_temp;

CREATE OR REPLACE TRIGGER guard_insert BEFORE INSERT ON notify.ent_notification
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
CREATE OR REPLACE FUNCTION notify.guard_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'notification: the INSERT sets a column that only the worker writes'
        USING ERRCODE = 'check_violation',
            HINT = 'Leave out notification_status, transaction_id, attempt, the counters, and every time except '
                'scheduled_for and expires_at.';
END $$;
DROP TRIGGER guard_created_by ON notify.ent_notification;
DROP FUNCTION notify.guard_created_by;

-- Its indexes go with the column.
ALTER TABLE notify.ent_notification DROP COLUMN created_by;
