SELECT (
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
        SELECT CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM min(oldest.due_since)) AS float8)
        FROM (SELECT enterprise_id FROM enterprises LIMIT 10000) AS enterprises, LATERAL (
            SELECT greatest(n.created_at, timestamptz '1970-01-01Z') AS due_since, n.notification_workflow_id
            FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND true AND n.enterprise_id = enterprises.enterprise_id
            ORDER BY n.id LIMIT 1
        ) AS oldest
        WHERE (CAST(:all AS bool) OR NOT EXISTS (
            SELECT FROM notify.ent_enterprise_limit l
            WHERE l.enterprise_id = enterprises.enterprise_id AND num_nonnulls(l.rate, l.in_flight, l.burst) > 0)
            AND NOT EXISTS (SELECT FROM notify.ent_notification n
                WHERE n.notification_status = 'PROCESSING' AND n.enterprise_id = enterprises.enterprise_id))
        AND NOT EXISTS (SELECT FROM notify.pause p WHERE (p.ends_at IS NULL OR p.ends_at > now())
            AND (p.enterprise_id IS NULL OR p.enterprise_id = enterprises.enterprise_id)
            AND (p.workflow_key IS NULL OR p.workflow_key = (SELECT w.workflow_key FROM notify.ent_notification_workflow w
                WHERE w.id = oldest.notification_workflow_id)))
    ) AS new,
    (
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
        SELECT CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM min(oldest.due_since)) AS float8)
        FROM (SELECT enterprise_id FROM enterprises LIMIT 10000) AS enterprises, LATERAL (
            SELECT greatest(greatest(n.created_at, n.scheduled_for), timestamptz '1970-01-01Z') AS due_since, n.notification_workflow_id
            FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.scheduled_for <= now() AND n.enterprise_id = enterprises.enterprise_id
            ORDER BY n.scheduled_for, n.id LIMIT 1
        ) AS oldest
        WHERE (CAST(:all AS bool) OR NOT EXISTS (
            SELECT FROM notify.ent_enterprise_limit l
            WHERE l.enterprise_id = enterprises.enterprise_id AND num_nonnulls(l.rate, l.in_flight, l.burst) > 0)
            AND NOT EXISTS (SELECT FROM notify.ent_notification n
                WHERE n.notification_status = 'PROCESSING' AND n.enterprise_id = enterprises.enterprise_id))
        AND NOT EXISTS (SELECT FROM notify.pause p WHERE (p.ends_at IS NULL OR p.ends_at > now())
            AND (p.enterprise_id IS NULL OR p.enterprise_id = enterprises.enterprise_id)
            AND (p.workflow_key IS NULL OR p.workflow_key = (SELECT w.workflow_key FROM notify.ent_notification_workflow w
                WHERE w.id = oldest.notification_workflow_id)))
    ) AS scheduled,
    (
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
        SELECT CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM min(oldest.due_since)) AS float8)
        FROM (SELECT enterprise_id FROM enterprises LIMIT 10000) AS enterprises, LATERAL (
            SELECT greatest(n.next_attempt_at, timestamptz '1970-01-01Z') AS due_since, n.notification_workflow_id
            FROM notify.ent_notification n
            WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.next_attempt_at <= now() AND n.enterprise_id = enterprises.enterprise_id
            ORDER BY n.next_attempt_at, n.id LIMIT 1
        ) AS oldest
        WHERE (CAST(:all AS bool) OR NOT EXISTS (
            SELECT FROM notify.ent_enterprise_limit l
            WHERE l.enterprise_id = enterprises.enterprise_id AND num_nonnulls(l.rate, l.in_flight, l.burst) > 0)
            AND NOT EXISTS (SELECT FROM notify.ent_notification n
                WHERE n.notification_status = 'PROCESSING' AND n.enterprise_id = enterprises.enterprise_id))
        AND NOT EXISTS (SELECT FROM notify.pause p WHERE (p.ends_at IS NULL OR p.ends_at > now())
            AND (p.enterprise_id IS NULL OR p.enterprise_id = enterprises.enterprise_id)
            AND (p.workflow_key IS NULL OR p.workflow_key = (SELECT w.workflow_key FROM notify.ent_notification_workflow w
                WHERE w.id = oldest.notification_workflow_id)))
    ) AS failed
