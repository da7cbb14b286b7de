SELECT t.id, t.updated_at, octet_length(t.body_template) + coalesce(octet_length(t.subject_template), 0)
            + octet_length(t.defaults::text) AS size, t.enterprise_id, t.channel_type::text AS channel, t.format, t.trusted,
        t.subject_template AS subject, t.body_template AS body, t.defaults::text AS defaults
    FROM notify.ent_notification_template t
    WHERE t.id = ANY (CAST(:ids AS bigint[]))
