WITH requested AS (
        -- The holds of the caller, each with its error.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]), CAST(:errors AS jsonb[])
        ) AS requested (id, attempt, until, error)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid.
        SELECT n.id, requested.error FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET
        unknown_outcomes = n.unknown_outcomes + 1, error_details = locked.error, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status
