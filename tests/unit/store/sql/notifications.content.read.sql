SELECT n.id, n.enterprise_id, n.name,
        CASE WHEN octet_length(n.payload::text) <= 262144 THEN jsonb_pretty(n.payload) END AS payload,
        CASE WHEN octet_length(n.overrides::text) <= 262144 THEN jsonb_pretty(n.overrides) END AS overrides,
        n.recipients[1:100] AS recipients, cardinality(n.recipients) AS recipient_count,
        coalesce(n.channels, w.default_channels, '{}')::text[] AS channels,
        w.workflow_key, coalesce(left(w.name, 1000), '') AS workflow_name, w.workflow_type::text AS workflow_type,
        CASE WHEN octet_length(w.template_overrides::text) <= 65536 THEN w.template_overrides ELSE '{}' END AS templates,
        n.locale, n.time_zone, least(greatest(n.created_at, n.scheduled_for), clock_timestamp()) AS due_at,
        CASE WHEN n.scheduled_for BETWEEN '0100-01-01Z' AND '9000-01-01Z' THEN n.scheduled_for END AS scheduled_for, n.fired_at
    FROM notify.ent_notification n LEFT JOIN notify.ent_notification_workflow w ON w.id = n.notification_workflow_id
    WHERE n.id = :id LIMIT 1
