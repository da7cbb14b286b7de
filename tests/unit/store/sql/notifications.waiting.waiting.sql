WITH oldest AS (
        -- The oldest due row of each enterprise, by loop.
        SELECT * FROM (
            WITH RECURSIVE enterprises (enterprise_id) AS (
            -- The enterprises with rows of this loop, one after the other.
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
            UNION ALL
            SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                    WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.enterprise_id ~>~ enterprises.enterprise_id
                    ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL
        )
            SELECT enterprises.enterprise_id, oldest.due_since
            FROM (SELECT enterprise_id FROM enterprises LIMIT 10000) AS enterprises, LATERAL (
                SELECT greatest(n.created_at, timestamptz '1970-01-01Z') AS due_since FROM notify.ent_notification n
                WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND true AND n.enterprise_id = enterprises.enterprise_id
                ORDER BY n.id LIMIT 1
            ) AS oldest
        ) AS new
        UNION ALL
        SELECT * FROM (
            WITH RECURSIVE enterprises (enterprise_id) AS (
            -- The enterprises with rows of this loop, one after the other.
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
            UNION ALL
            SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                    WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.enterprise_id ~>~ enterprises.enterprise_id
                    ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL
        )
            SELECT enterprises.enterprise_id, oldest.due_since
            FROM (SELECT enterprise_id FROM enterprises LIMIT 10000) AS enterprises, LATERAL (
                SELECT greatest(greatest(n.created_at, n.scheduled_for), timestamptz '1970-01-01Z') AS due_since FROM notify.ent_notification n
                WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.scheduled_for <= now() AND n.enterprise_id = enterprises.enterprise_id
                ORDER BY n.scheduled_for, n.id LIMIT 1
            ) AS oldest
        ) AS scheduled
        UNION ALL
        SELECT * FROM (
            WITH RECURSIVE enterprises (enterprise_id) AS (
            -- The enterprises with rows of this loop, one after the other.
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
            UNION ALL
            SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                    WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.enterprise_id ~>~ enterprises.enterprise_id
                    ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL
        )
            SELECT enterprises.enterprise_id, oldest.due_since
            FROM (SELECT enterprise_id FROM enterprises LIMIT 10000) AS enterprises, LATERAL (
                SELECT greatest(n.next_attempt_at, timestamptz '1970-01-01Z') AS due_since FROM notify.ent_notification n
                WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.next_attempt_at <= now() AND n.enterprise_id = enterprises.enterprise_id
                ORDER BY n.next_attempt_at, n.id LIMIT 1
            ) AS oldest
        ) AS failed
    ), longest AS MATERIALIZED (
        -- The enterprises that have waited longest.
        SELECT enterprise_id, min(due_since) AS due_since FROM oldest
        GROUP BY enterprise_id ORDER BY 2, 1 LIMIT :most
    )
    SELECT longest.enterprise_id,
        CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM longest.due_since) AS float8) AS seconds,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND true AND n.enterprise_id = longest.enterprise_id
            LIMIT 1000) AS new) + (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.scheduled_for <= now() AND n.enterprise_id = longest.enterprise_id
            LIMIT 1000) AS scheduled) + (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n
            WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.next_attempt_at <= now() AND n.enterprise_id = longest.enterprise_id
            LIMIT 1000) AS failed) AS due
    FROM longest ORDER BY longest.due_since, longest.enterprise_id
