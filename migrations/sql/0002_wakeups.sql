-- Wake-ups that a rollback cannot take along: commits keep silent only after a worker has heard a wake-up, because a sender
-- may still roll back. And no commit fails because the queue of NOTIFY is full.
SET search_path = pg_catalog, pg_temp;

CREATE SEQUENCE notify.last_heard_ms MINVALUE 0;
COMMENT ON SEQUENCE notify.last_heard_ms IS
    'When a worker last heard a wake-up, or last wrote that it listens, in milliseconds since 1970. Only workers write it.';
GRANT SELECT ON SEQUENCE notify.last_heard_ms TO PUBLIC;
GRANT SELECT, UPDATE ON SEQUENCE notify.last_heard_ms TO xnovu_worker;

-- A worker that has heard a wake-up turns again 30 ms later, so commits within twenty milliseconds need not notify. It also
-- writes the sequence every ten seconds. If it is older than thirty seconds, no worker of this version listens: then a commit
-- keeps silent after the wake-up of another commit, as before, so that commits do not wait for a lock that nobody needs.
-- Every name and operator is qualified (a SET clause would cost more): a deferred trigger runs under the session's
-- search_path and, from PostgreSQL 18 on, with the rights of the function that inserted.
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

CREATE OR REPLACE FUNCTION notify.wake_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.<=) 0.5 THEN
        PERFORM pg_catalog.pg_notify('xnovu_rules', '');
    END IF;
    RETURN NULL;
END $$;
