-- The guards: triggers that refuse every change that the state machine does not allow, no matter which program writes it.
-- They also set updated_at. Without them, a producer's mistake could send twice or make a notification disappear.
SET search_path = pg_catalog, pg_temp;

-- A new notification is PENDING, and has no trace of the worker. If a producer could choose the transaction_id, it
-- could make Novu drop another notification; if it could choose created_at, it could escape retention.
CREATE FUNCTION notify.guard_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.notification_status, NEW.attempt, NEW.failure_count, NEW.refusals, NEW.unknown_outcomes, NEW.lapses)
            IS DISTINCT FROM ('PENDING'::notify.notification_status, 0, 0, 0, 0, 0)
        OR num_nonnulls(NEW.lease_expires_at, NEW.send_until, NEW.next_attempt_at, NEW.retract_requested_at,
            NEW.processed_at, NEW.retracted_at, NEW.temporal_workflow_id, NEW.error_details,
            NEW.retraction_reason) > 0
        OR NEW.transaction_id !~ '^xn-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        OR (NEW.created_at, NEW.updated_at) IS DISTINCT FROM (now(), now())
    THEN
        RAISE EXCEPTION 'notification: the INSERT sets a column that only the worker writes'
            USING ERRCODE = 'check_violation',
                HINT = 'Leave out notification_status, transaction_id, attempt, the counters, and every time except '
                    'scheduled_for and expires_at.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.guard_insert IS
    'Trigger: refuse a new notification that is not PENDING or that sets a column which only the worker writes.';
CREATE TRIGGER guard_insert BEFORE INSERT ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_insert();

-- lifecycle.py has the same pairs (LAWFUL_MOVES); a test tries every pair on both.
CREATE FUNCTION notify.guard_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    move text := OLD.notification_status || ' > ' || NEW.notification_status;
    claimed boolean := NEW.attempt <> OLD.attempt;
BEGIN
    IF NEW.notification_status <> OLD.notification_status AND move NOT IN (
        'PENDING > PROCESSING', 'FAILED > PROCESSING',
        'PROCESSING > SENT', 'PROCESSING > FAILED', 'PROCESSING > DEAD', 'PROCESSING > PENDING',
        'PENDING > RETRACTED', 'FAILED > RETRACTED', 'PROCESSING > RETRACTED',
        'DEAD > PENDING', 'RETRACTED > PENDING')
    THEN
        RAISE EXCEPTION 'notification %: % is not a lawful transition', OLD.id, move
            USING ERRCODE = 'check_violation';
    END IF;
    -- The attempt is the fencing token: a worker writes only while the row is at its own attempt. If a claim did not
    -- raise it, or if it could fall, an executor of an earlier claim could write again.
    IF claimed AND (NEW.attempt <> OLD.attempt + 1 OR NEW.notification_status <> 'PROCESSING')
        OR NOT claimed AND NEW.notification_status = 'PROCESSING' AND OLD.notification_status <> 'PROCESSING'
    THEN
        RAISE EXCEPTION 'notification %: attempt counts the claims; it rises by one with each and never falls', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.guard_update IS
    'Trigger: refuse a transition that the state machine does not know, and an attempt that does not count claims; '
    'set updated_at.';
CREATE TRIGGER guard_update BEFORE UPDATE ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_update();

-- After the first claim, Novu may already have the notification under this transaction_id. It would drop changed
-- content as a repeat. The trigger names its columns, so that it costs other updates nothing. No other BEFORE trigger
-- may write these columns, because this guard would not see that; guard_update writes only updated_at.
CREATE FUNCTION notify.guard_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    move text := OLD.notification_status || ' > ' || NEW.notification_status;
    renamed boolean := NEW.transaction_id <> OLD.transaction_id AND move <> 'RETRACTED > PENDING';
BEGIN
    -- `xnovu db new-deployment` gives every notification that is not SENT another transaction_id. We recognise its
    -- transaction because it has written the row of notify.deployment, which only xnovu_worker may do. The check is a
    -- separate statement because a tenant may not even read the table.
    IF renamed AND OLD.notification_status <> 'SENT' AND NEW.notification_status NOT IN ('PROCESSING', 'SENT')
        AND NEW.transaction_id ~ '^xn-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    THEN
        renamed := NOT EXISTS (SELECT FROM notify.deployment WHERE xmin = pg_current_xact_id()::xid);
    END IF;
    IF (NEW.id, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.created_at)
        OR renamed
        OR OLD.attempt > 0 AND (NEW.enterprise_id, NEW.notification_workflow_id, NEW.recipients, NEW.payload,
            NEW.channels, NEW.overrides) IS DISTINCT FROM (OLD.enterprise_id, OLD.notification_workflow_id,
            OLD.recipients, OLD.payload, OLD.channels, OLD.overrides)
    THEN
        RAISE EXCEPTION 'notification %: its content does not change once it has been claimed', OLD.id
            USING ERRCODE = 'check_violation',
                HINT = 'The first claim freezes enterprise, workflow, recipients, payload, channels and overrides (id, '
                    'created_at and transaction_id are always fixed). Retract the notification and insert another.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.guard_frozen IS
    'Trigger: refuse to change a notification''s content after its first claim, and its id, created_at or transaction_id '
    'at any time.';
CREATE TRIGGER guard_frozen
    BEFORE UPDATE OF id, created_at, transaction_id, enterprise_id, notification_workflow_id, recipients, payload,
        channels, overrides ON notify.ent_notification
    FOR EACH ROW EXECUTE FUNCTION notify.guard_frozen();

-- On INSERT too: the worker reads this time, and a tenant could write a time that Python cannot represent ('infinity').
CREATE FUNCTION notify.keep_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION notify.keep_updated_at IS 'Trigger: set updated_at.';
CREATE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_notification_workflow
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
CREATE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_notification_template
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
CREATE TRIGGER keep_updated_at BEFORE INSERT OR UPDATE ON notify.ent_enterprise_limit
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
-- A rule's updated_at is when its author changed it. The columns that the worker writes (from rule_status on) do not
-- count.
CREATE TRIGGER keep_updated_at
    BEFORE INSERT OR UPDATE OF enterprise_id, name, notification_workflow_id, trigger_type, trigger_config,
        rule_payload, publish_status, deactivated, created_at, updated_at
    ON notify.ent_notification_rule
    FOR EACH ROW EXECUTE FUNCTION notify.keep_updated_at();
