SELECT date_bin(interval '20 minutes', inserted.created_at, timestamptz '2000-01-01Z') AS began_at,
        count(*) AS inserted, count(*) FILTER (WHERE inserted.status = 'SENT') AS sent,
        count(*) FILTER (WHERE inserted.status = 'DEAD') AS dead
    FROM (
        (SELECT n.notification_status AS status, n.created_at FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0 AND n.enterprise_id = :enterprise
                AND n.created_at >= now() - interval '24 hours'
            ORDER BY n.notification_status DESC, n.created_at DESC, n.id DESC LIMIT 5000)
        UNION ALL
        (SELECT n.notification_status AS status, n.created_at FROM notify.ent_notification n
            WHERE n.notification_status = 'SENT' AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0 AND n.enterprise_id = :enterprise
                AND n.created_at >= now() - interval '24 hours'
            ORDER BY n.notification_status DESC, n.created_at DESC, n.id DESC LIMIT 5000)
        UNION ALL
        (SELECT n.notification_status AS status, n.created_at FROM notify.ent_notification n
            WHERE n.notification_status = 'FAILED' AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0 AND n.enterprise_id = :enterprise
                AND n.created_at >= now() - interval '24 hours'
            ORDER BY n.notification_status DESC, n.created_at DESC, n.id DESC LIMIT 5000)
        UNION ALL
        (SELECT n.notification_status AS status, n.created_at FROM notify.ent_notification n
            WHERE n.notification_status = 'DEAD' AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0 AND n.enterprise_id = :enterprise
                AND n.created_at >= now() - interval '24 hours'
            ORDER BY n.notification_status DESC, n.created_at DESC, n.id DESC LIMIT 5000)
        UNION ALL
        (SELECT n.notification_status AS status, n.created_at FROM notify.ent_notification n
            WHERE n.notification_status = 'RETRACTED' AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0 AND n.enterprise_id = :enterprise
                AND n.created_at >= now() - interval '24 hours'
            ORDER BY n.notification_status DESC, n.created_at DESC, n.id DESC LIMIT 5000)
    ) AS inserted GROUP BY 1 ORDER BY 1
