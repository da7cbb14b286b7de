-- The wake-up: a commit that makes a notification due notifies the channel xnovu_due, so that a worker claims it at
-- once and not at its next poll. A lost wake-up only costs time, because polling finds every row.
SET search_path = pg_catalog, pg_temp;

-- A session that notifies holds a database-wide lock until its commit is on disk, so notifying sessions commit one
-- after the other. The sequence holds the millisecond of the last wake-up, which every session sees at once. A commit
-- within twenty milliseconds of it does not notify, because the worker's next turn finds its row anyway.
CREATE SEQUENCE notify.last_wakeup_ms MINVALUE 0;
COMMENT ON SEQUENCE notify.last_wakeup_ms IS
    'When a producer last woke the workers, in milliseconds since 1970: more than one wake-up in 20 ms is dropped.';
GRANT SELECT ON SEQUENCE notify.last_wakeup_ms TO PUBLIC;

-- It runs with its owner's rights because it writes the sequence.
CREATE FUNCTION notify.wake_workers() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM setval('notify.last_wakeup_ms', (date_part('epoch', clock_timestamp()) * 1000)::bigint);
    PERFORM pg_notify('xnovu_due', '');
END $$;
GRANT EXECUTE ON FUNCTION notify.wake_workers TO PUBLIC;
COMMENT ON FUNCTION notify.wake_workers IS 'Wake the workers: notify xnovu_due, and remember when.';

-- It runs with the producer's rights: a change to the owner's costs more than all the rest, and only wake_workers needs them.
-- Every name and operator is qualified (a SET clause would cost more): a deferred trigger runs under the session's
-- search_path and, from PostgreSQL 18 on, with the rights of the function that inserted.
CREATE FUNCTION notify.wake() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    since_last_ms pg_catalog.float8;
BEGIN
    -- If a function with another's rights inserted the row, the producer may lack the right to use the schema at its
    -- commit. Then notify each time.
    IF NOT pg_catalog.has_schema_privilege('notify', 'USAGE') THEN
        PERFORM pg_catalog.pg_notify('xnovu_due', '');
        RETURN NULL;
    END IF;
    since_last_ms := pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000
        OPERATOR(pg_catalog.-) pg_catalog.pg_sequence_last_value('notify.last_wakeup_ms');
    -- Less than 0: the clock was set back.
    IF since_last_ms OPERATOR(pg_catalog.>=) 0 AND since_last_ms OPERATOR(pg_catalog.<=) 20 THEN
        RETURN NULL;
    END IF;
    PERFORM notify.wake_workers();
    RETURN NULL;
END $$;
COMMENT ON FUNCTION notify.wake IS 'Trigger: wake the workers, unless somebody did within the last 20 ms.';

-- Deferred to the commit, because an insert may stay uncommitted for long, or be rolled back. Changes of the state do not
-- fire it, or the worker's own claims would wake the worker. The worker asks once a minute when the next row comes due,
-- so a row that comes due earlier than that (two minutes, to be safe) must wake it.
CREATE CONSTRAINT TRIGGER wake
    AFTER INSERT OR UPDATE OF publish_status, deactivated, scheduled_for ON notify.ent_notification
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.notification_status = 'PENDING' AND NEW.publish_status = 'PUBLISH' AND NOT NEW.deactivated
        AND (NEW.scheduled_for IS NULL OR NEW.scheduled_for <= clock_timestamp() + interval '2 minutes'))
    EXECUTE FUNCTION notify.wake();
