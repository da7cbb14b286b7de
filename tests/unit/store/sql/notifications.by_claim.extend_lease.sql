WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING'
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET
        lease_expires_at = greatest(n.lease_expires_at, clock_timestamp() + make_interval(secs => :lease))
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status
