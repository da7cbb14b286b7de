WITH requested AS (
        -- The holds of the caller, each with the reason.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]),
            CAST(:reasons AS text[]), CAST(:unknown AS bool[])
        ) AS requested (id, attempt, until, reason, unknown)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid.
        SELECT n.id, requested.reason, requested.unknown
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = 'RETRACTED', retracted_at = clock_timestamp(),
        retraction_reason = coalesce(n.retraction_reason, locked.reason),
        error_details = CASE WHEN locked.unknown THEN jsonb_build_object('delivery', 'unknown') END,
        lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status
