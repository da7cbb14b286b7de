SELECT format('rescue: at least %s leases lapsed long ago, and their rows were not rescued;'
        ' check that a worker runs and that it reaches Temporal', number)
    FROM (
        SELECT count(*) AS number FROM (
            SELECT FROM notify.ent_notification
            WHERE notification_status = 'PROCESSING'
                AND lease_expires_at < clock_timestamp() - make_interval(secs => :waited)
                AND (send_until IS NULL OR send_until < clock_timestamp() - make_interval(secs => :waited))
            LIMIT 1000
        ) AS found
    ) AS lapsed
    WHERE number > 0
