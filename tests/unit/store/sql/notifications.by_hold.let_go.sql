WITH asked AS (
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]))
            AS asked (id, attempts, untils)
    ), mine AS MATERIALIZED (
        SELECT n.id, untils FROM notify.ent_notification n JOIN asked ON n.id = asked.id
        WHERE n.attempt = asked.attempts AND n.notification_status = 'PROCESSING' AND n.send_until = asked.untils
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET send_until = NULL
    FROM mine WHERE n.id = mine.id
    RETURNING n.id
