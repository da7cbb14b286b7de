WITH requested AS (
        -- The holds of the caller, each with the kind of Novu's refusal.
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]),
            CAST(:refused AS bool[]), CAST(:unknown AS bool[])
        ) AS requested (id, attempt, until, refused, unknown)
    ), locked AS MATERIALIZED (
        -- The rows whose hold is still valid.
        SELECT n.id, requested.refused, requested.unknown
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status = 'PROCESSING' AND n.send_until = requested.until
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET
        -- Only a row that was FAILED before has a time for its next attempt.
        notification_status =
            CASE WHEN n.next_attempt_at IS NULL THEN 'PENDING' ELSE 'FAILED' END::notify.notification_status,
        refusals = n.refusals + locked.refused::int, unknown_outcomes = n.unknown_outcomes + locked.unknown::int,
        lease_expires_at = NULL, send_until = NULL
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status
