-- The login that inserted each notification. A claim goes round the logins, so that a login that names many enterprises
-- does not make the enterprises of other logins wait. This file can be repeated after an interruption.
SET search_path = pg_catalog, pg_temp;

-- The locks first, as in 0002_keys.sql.
SET LOCAL lock_timeout = '1500ms';
LOCK TABLE notify.ent_notification IN SHARE UPDATE EXCLUSIVE MODE;
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification IN ACCESS EXCLUSIVE MODE;

-- A constant for the rows that are there, so no row is written.
ALTER TABLE notify.ent_notification ADD COLUMN IF NOT EXISTS created_by TEXT DEFAULT 'unknown' NOT NULL;
ALTER TABLE notify.ent_notification ALTER COLUMN created_by SET DEFAULT session_user;
COMMENT ON COLUMN notify.ent_notification.created_by IS
    'The login that inserted it; `unknown` if that was before this column. Claims go round the logins.';

-- The new column is nobody's: a login that could name another would take its turns.
CREATE OR REPLACE TRIGGER guard_insert BEFORE INSERT ON notify.ent_notification
    FOR EACH ROW
    WHEN (NEW.notification_status IS DISTINCT FROM 'PENDING' OR NEW.attempt IS DISTINCT FROM 0
        OR NEW.failure_count IS DISTINCT FROM 0 OR NEW.refusals IS DISTINCT FROM 0
        OR NEW.unknown_outcomes IS DISTINCT FROM 0 OR NEW.lapses IS DISTINCT FROM 0
        OR num_nonnulls(NEW.claimed_at, NEW.lease_expires_at, NEW.send_until, NEW.next_attempt_at,
            NEW.retract_requested_at, NEW.processed_at, NEW.retracted_at, NEW.temporal_workflow_id, NEW.error_details,
            NEW.retraction_reason) > 0
        OR NEW.transaction_id !~ '^xn-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        OR NEW.created_at IS DISTINCT FROM now() OR NEW.updated_at IS DISTINCT FROM now()
        OR NEW.created_by IS DISTINCT FROM session_user)
    EXECUTE FUNCTION notify.guard_insert();
CREATE OR REPLACE FUNCTION notify.guard_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'notification: the INSERT sets a column that only the worker writes'
        USING ERRCODE = 'check_violation',
            HINT = 'Leave out notification_status, transaction_id, attempt, the counters, created_by, and every time except '
                'scheduled_for and expires_at.';
END $$;

CREATE OR REPLACE FUNCTION notify.guard_created_by() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'notification %: created_by is the login that inserted it, and never changes', OLD.id
        USING ERRCODE = 'check_violation', HINT = 'Retract the notification, and insert another with the other login.';
END $$;
COMMENT ON FUNCTION notify.guard_created_by IS 'Trigger: refuse to change the login that inserted a notification.';
REVOKE ALL ON FUNCTION notify.guard_created_by FROM PUBLIC;
CREATE OR REPLACE TRIGGER guard_created_by BEFORE UPDATE OF created_by ON notify.ent_notification
    FOR EACH ROW WHEN (NEW.created_by IS DISTINCT FROM OLD.created_by) EXECUTE FUNCTION notify.guard_created_by();
