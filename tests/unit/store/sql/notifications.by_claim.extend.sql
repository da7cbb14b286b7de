WITH asked AS (
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]))
            AS asked (id, attempts)
    ), mine AS MATERIALIZED (
        SELECT n.id FROM notify.ent_notification n JOIN asked ON n.id = asked.id
        WHERE n.attempt = asked.attempts AND n.notification_status = 'PROCESSING' AND true
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET lease_expires_at = greatest(n.lease_expires_at, clock_timestamp() + make_interval(secs => :lease))
    FROM mine WHERE n.id = mine.id
    RETURNING n.id
