WITH asked AS (
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]))
            AS asked (id, attempts)
    ), mine AS MATERIALIZED (
        SELECT n.id FROM notify.ent_notification n JOIN asked ON n.id = asked.id
        WHERE n.attempt = asked.attempts AND n.notification_status = 'PROCESSING' AND (n.send_until IS NULL OR n.send_until < clock_timestamp())
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET notification_status = CASE WHEN :counted > 0 AND n.failure_count + :counted >= :max_failures AND n.retract_requested_at IS NULL
            THEN 'DEAD' ELSE 'FAILED' END::notify.notification_status,
        processed_at = CASE WHEN :counted > 0 AND n.failure_count + :counted >= :max_failures AND n.retract_requested_at IS NULL THEN clock_timestamp() END,
        next_attempt_at = clock_timestamp() + make_interval(secs => :wait),
        failure_count = n.failure_count + :counted, error_details = CAST(:details AS jsonb),
        lapses = n.lapses + (n.send_until IS NOT NULL AND :died)::int,
        unknown_outcomes = n.unknown_outcomes + (n.send_until IS NOT NULL)::int, lease_expires_at = NULL, send_until = NULL
    FROM mine WHERE n.id = mine.id
    RETURNING n.id
