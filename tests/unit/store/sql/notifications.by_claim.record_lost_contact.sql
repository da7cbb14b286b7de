WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]),
            CAST(:waits AS float8[]), CAST(:counted AS bool[]), CAST(:died AS bool[])
        ) AS requested (id, attempt, wait, counted, died)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt, and that nobody is sending.
        SELECT n.id, requested.wait, requested.counted, requested.died, n.send_until IS NOT NULL AS was_sending,
            -- A withdrawn row must not become DEAD, because Novu must be asked to cancel it.
            requested.counted AND n.failure_count + 1 >= :max_failures AND n.retract_requested_at IS NULL AS is_last
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING'
            AND (n.send_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 min') IS NOT TRUE
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = CASE WHEN locked.is_last THEN 'DEAD' ELSE 'FAILED' END::notify.notification_status,
        processed_at = CASE WHEN locked.is_last THEN clock_timestamp() END,
        next_attempt_at = clock_timestamp() + make_interval(secs => locked.wait),
        failure_count = n.failure_count + locked.counted::int, error_details = CAST(:error AS jsonb),
        lapses = n.lapses + (locked.was_sending AND locked.died)::int,
        unknown_outcomes = n.unknown_outcomes + locked.was_sending::int,
        lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status
