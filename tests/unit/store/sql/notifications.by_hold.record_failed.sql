WITH requested AS (
        -- The holds of the caller, each with its error.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]),
            CAST(:errors AS jsonb[]), CAST(:waits AS float8[]), CAST(:counted AS bool[]),
            CAST(:refused AS bool[]), CAST(:unknown AS bool[]), CAST(:withdrawn AS bool[])
        ) AS requested (id, attempt, until, error, wait, counted, refused, unknown, withdrawn)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid. Their sender does not know of a retraction that came after the hold.
        SELECT n.id, n.failure_count, requested.error, requested.wait, requested.counted, requested.refused,
            requested.unknown, n.retract_requested_at IS NOT NULL AND NOT requested.withdrawn AS newly_withdrawn
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR UPDATE OF n
    ), judged AS (
        -- Decide which failure is the last. A newly withdrawn row gets another attempt, which asks Novu to cancel.
        SELECT locked.*, counted AND failure_count + 1 >= :max_failures AND NOT newly_withdrawn AS is_last FROM locked
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = CASE WHEN judged.is_last THEN 'DEAD' ELSE 'FAILED' END::notify.notification_status,
        processed_at = CASE WHEN judged.is_last THEN clock_timestamp() END,
        next_attempt_at = clock_timestamp()
            + make_interval(secs => CASE WHEN judged.newly_withdrawn THEN 0 ELSE judged.wait END),
        failure_count = n.failure_count + judged.counted::int,
        refusals = n.refusals + judged.refused::int,
        unknown_outcomes = n.unknown_outcomes + judged.unknown::int,
        error_details = judged.error, lease_expires_at = NULL, send_until = NULL
    FROM judged WHERE n.id = judged.id
    RETURNING n.id, n.notification_status
