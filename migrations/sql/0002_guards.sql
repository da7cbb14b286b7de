-- The guards mean the same under every search path: under the writer's own, a trigger would run what somebody has put into
-- `public`. PostgreSQL resolves the names of a condition (WHEN) when it creates the trigger, and the rest is qualified.
SET search_path = pg_catalog, pg_temp;

ALTER FUNCTION notify.guard_frozen SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION notify.keep_updated_at SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION notify.guard_event SET search_path = pg_catalog, pg_temp;

-- The condition costs a lawful insert less than the function did.
CREATE OR REPLACE FUNCTION notify.guard_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'notification: the INSERT sets a column that only the worker writes'
        USING ERRCODE = 'check_violation',
            HINT = 'Leave out notification_status, transaction_id, attempt, the counters, and every time except '
                'scheduled_for and expires_at.';
END $$;
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

-- A SET clause would cost each of the worker's updates more than the qualified names do.
CREATE OR REPLACE FUNCTION notify.guard_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    former pg_catalog.text := OLD.notification_status;
    status pg_catalog.text := NEW.notification_status;
    claims pg_catalog.int4 := NEW.attempt OPERATOR(pg_catalog.-) OLD.attempt;
BEGIN
    IF status OPERATOR(pg_catalog.<>) former AND pg_catalog.concat(former, ' > ', status) OPERATOR(pg_catalog.<>) ALL (
        ARRAY['PENDING > PROCESSING', 'FAILED > PROCESSING',
        'PROCESSING > SENT', 'PROCESSING > FAILED', 'PROCESSING > DEAD', 'PROCESSING > PENDING',
        'PENDING > RETRACTED', 'FAILED > RETRACTED', 'PROCESSING > RETRACTED',
        'DEAD > PENDING', 'RETRACTED > PENDING'])
    THEN
        RAISE EXCEPTION 'notification %: % > % is not a lawful transition', OLD.id, former, status
            USING ERRCODE = 'check_violation';
    END IF;
    -- The attempt is the fencing token: a worker writes only while the row is at its own attempt. If a claim did not
    -- raise it, or if it could fall, an executor of an earlier claim could write again.
    IF claims OPERATOR(pg_catalog.<>) 0
            AND (claims OPERATOR(pg_catalog.<>) 1 OR status OPERATOR(pg_catalog.<>) 'PROCESSING')
        OR claims OPERATOR(pg_catalog.=) 0
            AND status OPERATOR(pg_catalog.=) 'PROCESSING' AND former OPERATOR(pg_catalog.<>) 'PROCESSING'
    THEN
        RAISE EXCEPTION 'notification %: attempt counts the claims; it rises by one with each and never falls', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    NEW.updated_at := pg_catalog.clock_timestamp();
    RETURN NEW;
END $$;
