SELECT id, attempt, temporal_workflow_id, send_until IS NOT NULL AS sending FROM notify.ent_notification
    WHERE notification_status = 'PROCESSING' AND lease_expires_at < now()
        AND (send_until IS NULL OR send_until < now())
    ORDER BY lease_expires_at, id LIMIT :limit
