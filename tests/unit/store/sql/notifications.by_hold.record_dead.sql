WITH requested AS (
        -- The holds of the caller, each with its error.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]),
            CAST(:errors AS jsonb[]), CAST(:refused AS bool[])
        ) AS requested (id, attempt, until, error, refused)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid. A row that was withdrawn meanwhile is retracted if nothing was accepted.
        SELECT n.id, requested.error, requested.refused,
            n.retract_requested_at IS NOT NULL AND n.unknown_outcomes = 0 AND NOT EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown')) AS is_retracted
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = CASE WHEN locked.is_retracted THEN 'RETRACTED' ELSE 'DEAD' END::notify.notification_status,
        retracted_at = CASE WHEN locked.is_retracted THEN clock_timestamp() END,
        processed_at = CASE WHEN NOT locked.is_retracted THEN clock_timestamp() END,
        error_details = CASE WHEN NOT locked.is_retracted THEN locked.error END,
        refusals = n.refusals + locked.refused::int, lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status
