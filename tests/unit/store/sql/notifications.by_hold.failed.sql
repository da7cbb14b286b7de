WITH asked AS (
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]), CAST(:details AS jsonb[]), CAST(:waits AS float8[]), CAST(:counts AS int[]), CAST(:unknowns AS int[]), CAST(:refused AS int[]), CAST(:withdrawn AS int[]))
            AS asked (id, attempts, untils, details, waits, counts, unknowns, refused, withdrawn)
    ), mine AS MATERIALIZED (
        SELECT n.id, untils, details, waits, counts, unknowns, refused, withdrawn FROM notify.ent_notification n JOIN asked ON n.id = asked.id
        WHERE n.attempt = asked.attempts AND n.notification_status = 'PROCESSING' AND n.send_until = asked.untils
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET notification_status = CASE WHEN n.failure_count + mine.counts >= :max_failures AND mine.counts > 0 AND NOT (n.retract_requested_at IS NOT NULL AND mine.withdrawn = 0) THEN 'DEAD' ELSE 'FAILED' END::notify.notification_status,
        processed_at = CASE WHEN n.failure_count + mine.counts >= :max_failures AND mine.counts > 0 AND NOT (n.retract_requested_at IS NOT NULL AND mine.withdrawn = 0) THEN clock_timestamp() END,
        next_attempt_at = clock_timestamp()
            + make_interval(secs => CASE WHEN NOT (n.retract_requested_at IS NOT NULL AND mine.withdrawn = 0) THEN mine.waits ELSE 0 END),
        failure_count = n.failure_count + mine.counts, unknown_outcomes = n.unknown_outcomes + mine.unknowns,
        refusals = n.refusals + mine.refused, error_details = mine.details, lease_expires_at = NULL, send_until = NULL
    FROM mine WHERE n.id = mine.id
    RETURNING n.id
