SELECT (
        WITH RECURSIVE enterprises (enterprise_id, number) AS (
            -- The first enterprises with rows of this loop.
            (SELECT n.enterprise_id, 1 FROM notify.ent_notification n
             WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 ORDER BY n.enterprise_id LIMIT 1)
            UNION ALL
            SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                    WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.enterprise_id > enterprises.enterprise_id
                    ORDER BY n.enterprise_id LIMIT 1), enterprises.number + 1
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL AND enterprises.number < 10000
        )
        SELECT CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM min(oldest.due_since)) AS float8)
        FROM enterprises, LATERAL (
            SELECT greatest(n.created_at, timestamptz '1970-01-01Z') AS due_since FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND true AND n.enterprise_id = enterprises.enterprise_id
            ORDER BY n.id LIMIT 1
        ) AS oldest
        WHERE CAST(:limited AS bool) OR NOT EXISTS (
            SELECT FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = enterprises.enterprise_id)
    ) AS new,
    (
        WITH RECURSIVE enterprises (enterprise_id, number) AS (
            -- The first enterprises with rows of this loop.
            (SELECT n.enterprise_id, 1 FROM notify.ent_notification n
             WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 ORDER BY n.enterprise_id LIMIT 1)
            UNION ALL
            SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                    WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.enterprise_id > enterprises.enterprise_id
                    ORDER BY n.enterprise_id LIMIT 1), enterprises.number + 1
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL AND enterprises.number < 10000
        )
        SELECT CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM min(oldest.due_since)) AS float8)
        FROM enterprises, LATERAL (
            SELECT greatest(greatest(n.created_at, n.scheduled_for), timestamptz '1970-01-01Z') AS due_since FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.scheduled_for <= now() AND n.enterprise_id = enterprises.enterprise_id
            ORDER BY n.scheduled_for, n.id LIMIT 1
        ) AS oldest
        WHERE CAST(:limited AS bool) OR NOT EXISTS (
            SELECT FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = enterprises.enterprise_id)
    ) AS scheduled,
    (
        WITH RECURSIVE enterprises (enterprise_id, number) AS (
            -- The first enterprises with rows of this loop.
            (SELECT n.enterprise_id, 1 FROM notify.ent_notification n
             WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 ORDER BY n.enterprise_id LIMIT 1)
            UNION ALL
            SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                    WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.enterprise_id > enterprises.enterprise_id
                    ORDER BY n.enterprise_id LIMIT 1), enterprises.number + 1
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL AND enterprises.number < 10000
        )
        SELECT CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM min(oldest.due_since)) AS float8)
        FROM enterprises, LATERAL (
            SELECT greatest(n.next_attempt_at, timestamptz '1970-01-01Z') AS due_since FROM notify.ent_notification n
            WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.next_attempt_at <= now() AND n.enterprise_id = enterprises.enterprise_id
            ORDER BY n.next_attempt_at, n.id LIMIT 1
        ) AS oldest
        WHERE CAST(:limited AS bool) OR NOT EXISTS (
            SELECT FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = enterprises.enterprise_id)
    ) AS failed
