WITH ended AS (
        -- The pause.
        DELETE FROM notify.pause p
        WHERE p.enterprise_id IS NOT DISTINCT FROM :enterprise_id AND p.workflow_key IS NOT DISTINCT FROM :workflow_key
        RETURNING p.enterprise_id, p.workflow_key, p.reason, p.paused_by, p.paused_at, CASE WHEN p.ends_at < '9000-01-01Z' THEN p.ends_at END AS ends_at
    ), released AS (
        -- The brake of the enterprise: a person has released the rows that are there now, so they do not count any more.
        UPDATE notify.ent_enterprise_limit AS l SET released_to = (SELECT coalesce(max(n.id), 0) FROM notify.ent_notification n)
        FROM ended WHERE ended.workflow_key IS NULL AND l.enterprise_id = ended.enterprise_id AND l.burst IS NOT NULL
        RETURNING l.enterprise_id
    ), forgotten AS (
        -- What the brake has counted.
        DELETE FROM notify.brake_count b USING released WHERE b.enterprise_id = released.enterprise_id
    )
    SELECT ended.*, pg_notify('xnovu_due', '') FROM ended
