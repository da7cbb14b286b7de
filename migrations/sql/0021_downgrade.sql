-- Undo the revision of this number, so that commits keep silent as in 0002_wakeups.sql: only a worker's mark counts while one
-- listens.
SET search_path = pg_catalog, pg_temp;

CREATE OR REPLACE FUNCTION notify.wake() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    now_ms pg_catalog.float8 := pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000;
    silent_ms pg_catalog.float8;
    is_heard pg_catalog.bool := true;
BEGIN
    -- If a function with another's rights inserted the row, the producer may lack the right to use the schema at its
    -- commit. Then notify each time.
    IF pg_catalog.has_schema_privilege('notify', 'USAGE') THEN
        silent_ms := now_ms OPERATOR(pg_catalog.-) pg_catalog.pg_sequence_last_value('notify.last_heard_ms');
        -- Less than 0: the clock was set back.
        is_heard := silent_ms OPERATOR(pg_catalog.>=) 0 AND silent_ms OPERATOR(pg_catalog.<=) 30000;
        IF is_heard IS NOT TRUE THEN
            silent_ms := now_ms OPERATOR(pg_catalog.-) pg_catalog.pg_sequence_last_value('notify.last_wakeup_ms');
        END IF;
        IF silent_ms OPERATOR(pg_catalog.>=) 0 AND silent_ms OPERATOR(pg_catalog.<=) 20 THEN
            RETURN NULL;
        END IF;
    END IF;
    -- In a full queue, NOTIFY would fail, and the producer's commit with it. The poll finds the row.
    IF pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.>) 0.5 THEN
        RETURN NULL;
    END IF;
    IF is_heard IS NOT TRUE AND pg_catalog.has_function_privilege('notify.wake_workers()', 'EXECUTE') THEN
        PERFORM notify.wake_workers();
    ELSE
        PERFORM pg_catalog.pg_notify('xnovu_due', '');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION notify.wake IS 'Trigger: wake the workers, unless a worker has heard a wake-up within the last 20 ms.';
COMMENT ON SEQUENCE notify.last_wakeup_ms IS
    'When a producer last woke the workers, in milliseconds since 1970. It counts only while no worker listens.';
