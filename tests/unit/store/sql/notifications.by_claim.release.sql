WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt, and on which no send has begun.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING' AND n.send_until IS NULL
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET
        -- Only a row that was FAILED before has a time for its next attempt.
        notification_status =
            CASE WHEN n.next_attempt_at IS NULL THEN 'PENDING' ELSE 'FAILED' END::notify.notification_status,
        lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status
