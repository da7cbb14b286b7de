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
    ), of_tenants AS (
        -- The due and the paused rows of each enterprise.
        SELECT enterprise_id, sum(number) FILTER (WHERE is_due) AS due, sum(number) FILTER (WHERE is_paused) AS paused,
            min(first_at) FILTER (WHERE is_due) AS oldest
        FROM waiting WHERE is_due OR is_paused GROUP BY enterprise_id
    ), claimed AS (
        -- The rows in flight.
        SELECT n.enterprise_id, count(*) AS in_flight FROM notify.ent_notification n
        WHERE n.notification_status = 'PROCESSING' GROUP BY n.enterprise_id
    ), ended AS (
        -- The ends of the last hour, among the newest notifications: no index has the time of the end.
        SELECT enterprise_id, count(*) FILTER (WHERE notification_status = 'SENT') AS sent,
            count(*) FILTER (WHERE notification_status = 'DEAD') AS dead
        FROM (
            SELECT n.enterprise_id, n.notification_status, n.processed_at FROM notify.ent_notification n
            ORDER BY n.id DESC LIMIT 100000) AS newest
        WHERE processed_at > now() - interval '1 hour' GROUP BY enterprise_id
    )
    SELECT enterprise_id, coalesce(of_tenants.due, 0)::bigint AS due, coalesce(of_tenants.paused, 0)::bigint AS paused,
        CAST(extract(epoch FROM clock_timestamp() - of_tenants.oldest) AS bigint) AS oldest_due_seconds,
        coalesce(claimed.in_flight, 0) AS in_flight, coalesce(ended.sent, 0) AS sent_last_hour,
        coalesce(ended.dead, 0) AS dead_last_hour,
        CAST(round(100.0 * ended.sent / NULLIF(sum(ended.sent) OVER (), 0)) AS int) AS share_percent,
        l.rate AS rate_limit, l.in_flight AS in_flight_limit, l.firings AS firings_limit
    FROM of_tenants FULL JOIN claimed USING (enterprise_id) FULL JOIN ended USING (enterprise_id)
    LEFT JOIN notify.ent_enterprise_limit l USING (enterprise_id)
    ORDER BY due DESC, paused DESC, sent_last_hour DESC, enterprise_id USING ~<~ LIMIT 100
