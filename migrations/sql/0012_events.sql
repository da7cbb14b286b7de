-- What leaves the straight way of a notification: a line for each failure, release, rescue, lapse, unknown outcome, retraction,
-- revival and death. A trigger appends it in the statement that changes the row, so it knows of every writer.
SET search_path = pg_catalog, pg_temp;

-- The locks first, as in 0002_keys.sql.
SET LOCAL lock_timeout = '1500ms';
LOCK TABLE notify.ent_notification IN SHARE ROW EXCLUSIVE MODE;

-- No foreign key: it would cost each insert a lock on the notification, and each purged notification another statement.
-- The purge deletes the lines of the ids that it passes.
CREATE TABLE notify.ent_notification_event (
    notification_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    enterprise_id TEXT NOT NULL,
    arrow TEXT NOT NULL,
    happened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    attempt INTEGER NOT NULL,
    code TEXT,
    worker TEXT,
    login TEXT NOT NULL,
    times INTEGER DEFAULT 1 NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT ent_notification_event_pkey PRIMARY KEY (notification_id, number),
    CONSTRAINT ent_notification_event_arrow_check CHECK (arrow IN ('failed', 'dead', 'released', 'rescued', 'reclaimed',
        'lapsed', 'unknown', 'refused', 'retraction_requested', 'retracted', 'expired', 'cancelled', 'revived'))
);
COMMENT ON TABLE notify.ent_notification_event IS
    'What left the straight way of a notification, a line for each event. A notification that is sent at its first attempt has '
    'none. From its 40th event on, an event like an earlier event is counted there.';
COMMENT ON COLUMN notify.ent_notification_event.notification_id IS 'The notification.';
COMMENT ON COLUMN notify.ent_notification_event.number IS 'Number of the line within the notification.';
COMMENT ON COLUMN notify.ent_notification_event.enterprise_id IS 'The notification''s enterprise.';
COMMENT ON COLUMN notify.ent_notification_event.arrow IS
    'What happened. failed: an attempt failed. dead: no further attempt. released: the claim was given back. rescued: the same, '
    'because its lease had lapsed and Temporal had no run. reclaimed: claimed again, because its sender was gone. lapsed: a '
    'sender disappeared during a call. unknown: a call ended without an answer. refused: a try ended without success, and the '
    'attempt goes on. retraction_requested, retracted, expired, revived. cancelled: Novu answered the request to cancel it.';
COMMENT ON COLUMN notify.ent_notification_event.happened_at IS 'When it happened; of several events, the first.';
COMMENT ON COLUMN notify.ent_notification_event.attempt IS 'The attempt at that time; of several events, the last.';
COMMENT ON COLUMN notify.ent_notification_event.code IS
    'The code of the error, or Novu''s answer to a cancel; null: none was given.';
COMMENT ON COLUMN notify.ent_notification_event.worker IS 'The process that did it, xnovu@host:pid; null: it was no process of xnovu.';
COMMENT ON COLUMN notify.ent_notification_event.login IS 'The login of its session.';
COMMENT ON COLUMN notify.ent_notification_event.times IS 'How many such events this line stands for.';
COMMENT ON COLUMN notify.ent_notification_event.last_at IS 'When the last of them happened.';

ALTER TABLE notify.ent_notification_event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY worker ON notify.ent_notification_event TO xnovu_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON notify.ent_notification_event TO xnovu_worker;

-- With its owner's rights: a login that may change a notification must not fail because of its event.
CREATE FUNCTION notify.append_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    former text := OLD.notification_status;
    status text := NEW.notification_status;
    happened text := CASE
        WHEN status = 'RETRACTED' THEN CASE NEW.retraction_reason WHEN 'expired' THEN 'expired' ELSE 'retracted' END
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
COMMENT ON FUNCTION notify.append_event IS 'Trigger: append to notify.ent_notification_event what leaves the straight way.';
REVOKE ALL ON FUNCTION notify.append_event FROM PUBLIC;

-- A claim, a hold, the answers of chunks and SENT do not pass the condition.
CREATE TRIGGER append_event AFTER UPDATE ON notify.ent_notification
    FOR EACH ROW
    WHEN (CASE NEW.notification_status
        WHEN 'PROCESSING' THEN OLD.notification_status = 'PROCESSING' AND (NEW.attempt <> OLD.attempt
            OR NEW.lapses > OLD.lapses OR NEW.unknown_outcomes > OLD.unknown_outcomes OR NEW.refusals > OLD.refusals
            OR OLD.retract_requested_at IS NULL AND NEW.retract_requested_at IS NOT NULL
            OR NEW.error_details IS NOT NULL AND NEW.error_details IS DISTINCT FROM OLD.error_details)
        WHEN 'SENT' THEN OLD.notification_status = 'SENT' AND (OLD.retract_requested_at IS NULL AND NEW.retract_requested_at IS NOT NULL
            OR NEW.error_details IS DISTINCT FROM OLD.error_details)
        ELSE NEW.notification_status <> OLD.notification_status
            OR OLD.retract_requested_at IS NULL AND NEW.retract_requested_at IS NOT NULL END)
    EXECUTE FUNCTION notify.append_event();
