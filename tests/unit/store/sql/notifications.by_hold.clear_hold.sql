WITH requested AS (
        -- The holds of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]))
            AS requested (id, attempt, until)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status
