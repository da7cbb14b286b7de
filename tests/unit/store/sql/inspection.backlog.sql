WITH counted AS (
        -- The rows that wait, by all that decides whether they are paused.
        SELECT loop, enterprise_id, workflow_id, status, is_due, count(*) AS number, min(due_at) AS first_at FROM (
            
        SELECT 'new' AS loop, n.enterprise_id, n.notification_workflow_id AS workflow_id,
            n.notification_status::text AS status, true AS is_due, n.created_at AS due_at
        FROM notify.ent_notification n WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0
        UNION ALL
        SELECT 'scheduled', n.enterprise_id, n.notification_workflow_id, n.notification_status::text,
            n.scheduled_for <= now(), greatest(n.created_at, n.scheduled_for)
        FROM notify.ent_notification n WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0
        UNION ALL
        SELECT 'failed', n.enterprise_id, n.notification_workflow_id, n.notification_status::text,
            n.next_attempt_at <= now(), greatest(n.created_at, n.next_attempt_at)
        FROM notify.ent_notification n WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0
        ) AS of_loops GROUP BY loop, enterprise_id, workflow_id, status, is_due
    ), waiting AS (
        -- What is paused is not due, until somebody resumes it.
        SELECT loop, enterprise_id, status, number, first_at, is_due AND is_paused AS is_paused,
            is_due AND NOT is_paused AS is_due
        FROM (
            SELECT counted.*, EXISTS (
                SELECT FROM notify.pause p WHERE (p.ends_at IS NULL OR p.ends_at > now())
                    AND (p.enterprise_id IS NULL OR p.enterprise_id = counted.enterprise_id)
                    AND (p.workflow_key IS NULL OR p.workflow_key = (
                        SELECT w.workflow_key FROM notify.ent_notification_workflow w WHERE w.id = counted.workflow_id))
            ) AS is_paused FROM counted
        ) AS compared
    )
    SELECT loop, status, coalesce(sum(number) FILTER (WHERE is_due), 0)::bigint AS due,
        coalesce(sum(number) FILTER (WHERE is_paused), 0)::bigint AS paused,
        coalesce(sum(number) FILTER (WHERE NOT is_due AND NOT is_paused), 0)::bigint AS later,
        CAST(extract(epoch FROM clock_timestamp() - min(first_at) FILTER (WHERE is_due)) AS bigint) AS oldest_due_seconds,
        CAST(min(first_at) FILTER (WHERE NOT is_due AND NOT is_paused) AS text) AS next_due_at
    FROM (
        SELECT * FROM waiting
        UNION ALL
        SELECT 'in flight', n.enterprise_id, n.notification_status::text, 1, n.lease_expires_at, false,
            n.lease_expires_at < now()
        FROM notify.ent_notification n WHERE n.notification_status = 'PROCESSING'
    ) AS waiting
    GROUP BY loop, status
    ORDER BY array_position(ARRAY['new', 'scheduled', 'failed', 'in flight'], loop)
