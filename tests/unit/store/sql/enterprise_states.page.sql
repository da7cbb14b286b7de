WITH RECURSIVE named (id) AS (
        -- The enterprises in the order of bytes: each step finds the next, by the indexes.
        SELECT (
            SELECT first.id FROM (
                (SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = 'PENDING' AND n.attempt >= 0 AND n.enterprise_id ~>=~ CAST(:prefix AS text) AND n.enterprise_id ~>~ CAST(:after AS text)
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = 'FAILED' AND n.attempt >= 0 AND n.enterprise_id ~>=~ CAST(:prefix AS text) AND n.enterprise_id ~>~ CAST(:after AS text)
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = 'SENT' AND n.attempt >= 0 AND n.enterprise_id ~>=~ CAST(:prefix AS text) AND n.enterprise_id ~>~ CAST(:after AS text)
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = 'DEAD' AND n.attempt >= 0 AND n.enterprise_id ~>=~ CAST(:prefix AS text) AND n.enterprise_id ~>~ CAST(:after AS text)
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = 'RETRACTED' AND n.attempt >= 0 AND n.enterprise_id ~>=~ CAST(:prefix AS text) AND n.enterprise_id ~>~ CAST(:after AS text)
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT n.enterprise_id FROM notify.ent_notification n
                WHERE n.notification_status = 'PROCESSING' AND n.enterprise_id ~>=~ CAST(:prefix AS text) AND n.enterprise_id ~>~ CAST(:after AS text)
                ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT e.enterprise_id COLLATE "default" FROM notify.ent_enterprise e
                WHERE e.enterprise_id >= CAST(:prefix AS text) COLLATE "C" AND e.enterprise_id > CAST(:after AS text) COLLATE "C" ORDER BY e.enterprise_id LIMIT 1)
                UNION ALL
                (SELECT e.enterprise_id COLLATE "default" FROM notify.ent_enterprise_limit e
                WHERE e.enterprise_id >= CAST(:prefix AS text) COLLATE "C" AND e.enterprise_id > CAST(:after AS text) COLLATE "C" ORDER BY e.enterprise_id LIMIT 1)
                UNION ALL
                (SELECT e.enterprise_id COLLATE "default" FROM notify.pause e
                WHERE e.enterprise_id >= CAST(:prefix AS text) COLLATE "C" AND e.enterprise_id > CAST(:after AS text) COLLATE "C" ORDER BY e.enterprise_id LIMIT 1)
            ) AS first ORDER BY first.id USING ~<~ LIMIT 1)
        UNION ALL
        SELECT (
            SELECT first.id FROM (
                (SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = 'PENDING' AND n.attempt >= 0 AND n.enterprise_id ~>~ named.id
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = 'FAILED' AND n.attempt >= 0 AND n.enterprise_id ~>~ named.id
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = 'SENT' AND n.attempt >= 0 AND n.enterprise_id ~>~ named.id
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = 'DEAD' AND n.attempt >= 0 AND n.enterprise_id ~>~ named.id
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT n.enterprise_id AS id FROM notify.ent_notification n
                WHERE n.notification_status = 'RETRACTED' AND n.attempt >= 0 AND n.enterprise_id ~>~ named.id
                ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT n.enterprise_id FROM notify.ent_notification n
                WHERE n.notification_status = 'PROCESSING' AND n.enterprise_id ~>~ named.id
                ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
                UNION ALL
                (SELECT e.enterprise_id COLLATE "default" FROM notify.ent_enterprise e
                WHERE e.enterprise_id > named.id COLLATE "C" ORDER BY e.enterprise_id LIMIT 1)
                UNION ALL
                (SELECT e.enterprise_id COLLATE "default" FROM notify.ent_enterprise_limit e
                WHERE e.enterprise_id > named.id COLLATE "C" ORDER BY e.enterprise_id LIMIT 1)
                UNION ALL
                (SELECT e.enterprise_id COLLATE "default" FROM notify.pause e
                WHERE e.enterprise_id > named.id COLLATE "C" ORDER BY e.enterprise_id LIMIT 1)
            ) AS first ORDER BY first.id USING ~<~ LIMIT 1)
        FROM named WHERE starts_with(named.id, :prefix)
    ), page AS MATERIALIZED (
        -- Those of this page, and whether there is another.
        SELECT named.id FROM named WHERE starts_with(named.id, :prefix) LIMIT 26
    )
    SELECT page.id, e.name, e.locale, e.time_zone, l.rate, l.in_flight AS in_flight_limit, l.firings, l.burst,
        p.reason, p.paused_by, p.paused_at, CASE WHEN p.ends_at < '9000-01-01Z' THEN p.ends_at END AS ends_at,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.enterprise_id = page.id AND n.attempt >= 0
            LIMIT 1000) AS counted) AS pending,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE n.notification_status = 'PROCESSING' AND n.enterprise_id = page.id
            LIMIT 1000) AS counted) AS in_flight,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE n.notification_status = 'FAILED' AND n.enterprise_id = page.id AND n.attempt >= 0
            LIMIT 1000) AS counted) AS failed,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE n.notification_status = 'SENT' AND n.enterprise_id = page.id AND n.attempt >= 0 AND n.created_at >= now() - interval '24 hours'
            LIMIT 1000) AS counted) AS sent,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE n.notification_status = 'DEAD' AND n.enterprise_id = page.id AND n.attempt >= 0 AND n.created_at >= now() - interval '24 hours'
            LIMIT 1000) AS counted) AS dead,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE n.notification_status = 'RETRACTED' AND n.enterprise_id = page.id AND n.attempt >= 0 AND n.created_at >= now() - interval '24 hours'
            LIMIT 1000) AS counted) AS retracted
    FROM page
    LEFT JOIN notify.ent_enterprise e ON e.enterprise_id = page.id COLLATE "C"
    LEFT JOIN notify.ent_enterprise_limit l ON l.enterprise_id = page.id COLLATE "C"
    LEFT JOIN notify.pause p ON p.enterprise_id = page.id COLLATE "C" AND p.workflow_key IS NULL AND (p.ends_at IS NULL OR p.ends_at > now())
    ORDER BY page.id USING ~<~
