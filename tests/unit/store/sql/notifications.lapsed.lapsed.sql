SELECT n.id, n.attempt, n.temporal_workflow_id, n.send_until IS NOT NULL AS sending FROM notify.ent_notification n
    WHERE n.notification_status = 'PROCESSING' AND n.lease_expires_at < now() AND (n.send_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 min') IS NOT TRUE
    ORDER BY n.lease_expires_at, n.id LIMIT :limit
    FOR NO KEY UPDATE SKIP LOCKED
