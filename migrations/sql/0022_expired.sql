-- A retraction whose reason a person wrote as `expired` appends the event of a retraction, not that of an expiry.
-- No row changes.
SET search_path = pg_catalog, pg_temp;

CREATE OR REPLACE FUNCTION notify.append_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    former text := OLD.notification_status;
    status text := NEW.notification_status;
    happened text := CASE
        -- A tenant may write the reason `expired`, and then there is a request.
        WHEN status = 'RETRACTED' AND NEW.retraction_reason = 'expired' AND NEW.retract_requested_at IS NULL THEN 'expired'
        WHEN status = 'RETRACTED' THEN 'retracted'
        WHEN status = 'DEAD' THEN 'dead'
        WHEN former IN ('DEAD', 'RETRACTED') THEN 'revived'
        -- A release leaves the time of the next attempt as it is.
        WHEN former = 'PROCESSING' AND status = 'FAILED' AND NEW.next_attempt_at IS DISTINCT FROM OLD.next_attempt_at
            THEN 'failed'
        WHEN former = 'PROCESSING' AND status IN ('PENDING', 'FAILED') THEN
            CASE WHEN OLD.send_until IS NULL AND OLD.lease_expires_at < clock_timestamp() THEN 'rescued' ELSE 'released' END
        WHEN NEW.attempt <> OLD.attempt THEN 'reclaimed'
        WHEN OLD.retract_requested_at IS NULL AND NEW.retract_requested_at IS NOT NULL THEN 'retraction_requested'
        WHEN NEW.lapses > OLD.lapses THEN 'lapsed'
        WHEN NEW.unknown_outcomes > OLD.unknown_outcomes THEN 'unknown'
        WHEN status = 'SENT' THEN 'cancelled'
        ELSE 'refused' END;
    -- Where an arrow may leave an older error in the row, only a new error is its own.
    reason text := CASE
        WHEN happened IN ('failed', 'dead', 'unknown')
            OR happened IN ('released', 'rescued', 'refused') AND NEW.error_details IS DISTINCT FROM OLD.error_details
            THEN NEW.error_details ->> 'code'
        WHEN happened = 'retracted' THEN NEW.error_details ->> 'delivery'
        WHEN happened = 'cancelled' THEN NEW.error_details ->> 'cancel' END;
    process text := CASE current_setting('role') WHEN 'xnovu_worker' THEN NULLIF(current_setting('xnovu.process', true), '') END;
    newest integer;
BEGIN
    SELECT max(number) INTO newest FROM notify.ent_notification_event WHERE notification_id = NEW.id;
    -- During an outage of days a notification fails and is released for ever.
    IF newest >= 40 THEN
        UPDATE notify.ent_notification_event SET
            times = times + 1, last_at = clock_timestamp(), attempt = NEW.attempt, worker = process, login = session_user
        WHERE notification_id = NEW.id AND number = (
            SELECT max(like_it.number) FROM notify.ent_notification_event AS like_it
            WHERE like_it.notification_id = NEW.id AND like_it.arrow = happened AND like_it.code IS NOT DISTINCT FROM reason);
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO notify.ent_notification_event
        (notification_id, number, enterprise_id, arrow, happened_at, attempt, code, worker, login, last_at)
    VALUES (NEW.id, coalesce(newest, 0) + 1, NEW.enterprise_id, happened, clock_timestamp(), NEW.attempt, reason, process,
        session_user, clock_timestamp());
    RETURN NULL;
END $$;
