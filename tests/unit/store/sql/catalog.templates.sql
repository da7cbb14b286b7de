SELECT t.id, t.enterprise_id, t.template_key, t.channel_type::text AS channel, t.locale, left(t.name, 255) AS name,
        coalesce(t.uses[1:100], '{}') AS uses, t.publish_status = 'PUBLISH' AND NOT t.deactivated AS active,
        t.checked_status, t.checked_error, t.updated_at
    FROM notify.ent_notification_template t
    WHERE t.id > :after AND t.id <= :last
        AND (CAST(:enterprise AS text) IS NULL OR t.enterprise_id = :enterprise OR t.enterprise_id IS NULL)
        AND (CAST(:key AS text) IS NULL OR t.template_key = :key)
        AND (NOT :faulty OR t.publish_status = 'PUBLISH' AND NOT t.deactivated AND t.checked_status <> 'OK')
    ORDER BY t.id LIMIT 51
