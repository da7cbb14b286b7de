WITH over AS MATERIALIZED (
        -- The rows that expired first, of which Novu cannot have accepted anything.
        SELECT n.id FROM notify.ent_notification n
        WHERE n.notification_status IN ('PENDING', 'FAILED') AND n.expires_at <= now()
            AND n.unknown_outcomes = 0 AND NOT EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown'))
        ORDER BY n.expires_at, n.id
        LIMIT 1000
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        notification_status = 'RETRACTED', retraction_reason = 'expired', retracted_at = clock_timestamp()
    FROM over WHERE n.id = over.id
    RETURNING n.id, n.notification_status
