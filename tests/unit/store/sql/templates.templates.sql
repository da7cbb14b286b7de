SELECT requested.enterprise_id, requested.key, requested.channel, t.id, t.updated_at, t.subject_template,
        t.body_template, t.variables_description
    FROM unnest(CAST(:enterprises AS text[]), CAST(:keys AS text[]), CAST(:channels AS text[]))
        AS requested (enterprise_id, key, channel)
    CROSS JOIN LATERAL (
        -- The enterprise's own template comes before the global one.
        SELECT * FROM notify.ent_notification_template t
        WHERE t.template_key = requested.key AND t.channel_type = requested.channel::notify.channel_type
            AND (t.enterprise_id = requested.enterprise_id OR t.enterprise_id IS NULL)
            AND t.publish_status = 'PUBLISH' AND NOT t.deactivated
        ORDER BY t.enterprise_id NULLS LAST
        LIMIT 1
    ) AS t
