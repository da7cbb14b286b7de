SELECT w.id, w.enterprise_id, w.workflow_key, left(w.name, 255) AS name, w.workflow_type::text AS workflow_type,
        w.default_channels[1:20]::text[] AS channels,
        CASE WHEN octet_length(w.template_overrides::text) <= 4096 THEN w.template_overrides ELSE '{}' END AS templates,
        w.publish_status = 'PUBLISH' AND NOT w.deactivated AS active,
        w.checked_status, w.checked_error, w.updated_at, s.written_at
    FROM notify.ent_notification_workflow w
    LEFT JOIN notify.workflow_sync s ON s.workflow_key = w.workflow_key AND w.workflow_type = 'DYNAMIC'
    WHERE w.id > :after AND w.id <= :last
        AND (CAST(:enterprise AS text) IS NULL OR w.enterprise_id = :enterprise OR w.enterprise_id IS NULL)
        AND (CAST(:key AS text) IS NULL OR w.workflow_key = :key)
        AND (NOT :faulty OR w.publish_status = 'PUBLISH' AND NOT w.deactivated AND w.checked_status <> 'OK')
    ORDER BY w.id LIMIT 51
