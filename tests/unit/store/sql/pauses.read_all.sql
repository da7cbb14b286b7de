SELECT p.enterprise_id, p.workflow_key, p.reason, p.paused_by, p.paused_at, CASE WHEN p.ends_at < '9000-01-01Z' THEN p.ends_at END AS ends_at
    FROM notify.pause p WHERE (p.ends_at IS NULL OR p.ends_at > now())
    ORDER BY p.paused_at DESC, p.id DESC LIMIT 1000
