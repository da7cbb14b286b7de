-- Under load, one commit notifies where up to one of each writer did: after a worker has heard a wake-up, the mark of the next
-- sender counts too, as long as turns of the worker are still to come.
SET search_path = pg_catalog, pg_temp;

-- A worker that has heard a wake-up turns 30 ms and 130 ms later. So for 20 ms all commits keep silent, and for 60 ms those within
-- 20 ms of a sender: if that sender rolls back, a turn still finds their rows. Later, its mark counts for nobody, unless no
-- worker of this version listens: no worker has written last_heard_ms for thirty seconds. It writes it every ten seconds.
-- Every name and operator is qualified, as in 0002_wakeups.sql.
CREATE OR REPLACE FUNCTION notify.wake() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    now_ms pg_catalog.float8 := pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000;
    heard_ms pg_catalog.float8; -- since a worker heard a wake-up
    sent_ms pg_catalog.float8; -- since a sender left its mark
    is_marking pg_catalog.bool := false; -- whether a sender's mark counts
BEGIN
    -- If a function with another's rights inserted the row, the producer may lack the right to use the schema at its
    -- commit. Then notify each time.
    IF pg_catalog.has_schema_privilege('notify', 'USAGE') THEN
        heard_ms := now_ms OPERATOR(pg_catalog.-) pg_catalog.pg_sequence_last_value('notify.last_heard_ms');
        -- Less than 0: the clock was set back.
        IF heard_ms OPERATOR(pg_catalog.>=) 0 AND heard_ms OPERATOR(pg_catalog.<=) 20 THEN
            RETURN NULL;
        END IF;
        is_marking := (heard_ms OPERATOR(pg_catalog.>) 60 AND heard_ms OPERATOR(pg_catalog.<=) 30000) IS NOT TRUE;
        IF is_marking THEN
            sent_ms := now_ms OPERATOR(pg_catalog.-) pg_catalog.pg_sequence_last_value('notify.last_wakeup_ms');
            IF sent_ms OPERATOR(pg_catalog.>=) 0 AND sent_ms OPERATOR(pg_catalog.<=) 20 THEN
                RETURN NULL;
            END IF;
        END IF;
    END IF;
    -- In a full queue, NOTIFY would fail, and the producer's commit with it. The poll finds the row.
    IF pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.>) 0.5 THEN
        RETURN NULL;
    END IF;
    IF is_marking AND pg_catalog.has_function_privilege('notify.wake_workers()', 'EXECUTE') THEN
        PERFORM notify.wake_workers();
    ELSE
        PERFORM pg_catalog.pg_notify('xnovu_due', '');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION notify.wake IS
    'Trigger: wake the workers, unless a worker has heard a wake-up within the last 20 ms, or is about to hear the next.';
COMMENT ON SEQUENCE notify.last_wakeup_ms IS
    'When a producer last woke the workers, in milliseconds since 1970. It counts for 60 ms after a worker has heard a wake-up, '
    'and while no worker listens.';
