WITH requested AS MATERIALIZED (
        -- Each key, with the languages to look for, the best first; '' is any.
        SELECT number, enterprise_id, key, channel, string_to_array(locales, ' ') AS locales
        FROM unnest(CAST(:enterprises AS text[]), CAST(:keys AS text[]), CAST(:channels AS text[]),
            CAST(:locales AS text[])) WITH ORDINALITY AS given (enterprise_id, key, channel, locales, number)
    )
    SELECT requested.number, found.part, found.id, found.updated_at, found.size
    FROM requested CROSS JOIN LATERAL (
        WITH RECURSIVE used AS (
            -- The template itself.
            SELECT requested.key AS part, own.* FROM (
            SELECT t.id, t.updated_at, octet_length(t.body_template) + coalesce(octet_length(t.subject_template), 0)
            + octet_length(t.defaults::text) AS size, t.uses FROM notify.ent_notification_template t
            WHERE t.template_key = requested.key AND t.channel_type = requested.channel::notify.channel_type
                AND (t.enterprise_id = requested.enterprise_id OR t.enterprise_id IS NULL)
                AND coalesce(t.locale, '') = ANY (requested.locales)
                AND t.publish_status = 'PUBLISH' AND NOT t.deactivated
            ORDER BY t.enterprise_id NULLS LAST, array_position(requested.locales, coalesce(t.locale, ''))
            LIMIT 1) AS own
            UNION
            -- What the found templates name. Each occurs once, so a circle ends.
            SELECT named.part, chosen.* FROM used CROSS JOIN LATERAL unnest(used.uses) AS named (part)
            CROSS JOIN LATERAL (
            SELECT t.id, t.updated_at, octet_length(t.body_template) + coalesce(octet_length(t.subject_template), 0)
            + octet_length(t.defaults::text) AS size, t.uses FROM notify.ent_notification_template t
            WHERE t.template_key = named.part AND t.channel_type = requested.channel::notify.channel_type
                AND (t.enterprise_id = requested.enterprise_id OR t.enterprise_id IS NULL)
                AND coalesce(t.locale, '') = ANY (requested.locales)
                AND t.publish_status = 'PUBLISH' AND NOT t.deactivated
            ORDER BY t.enterprise_id NULLS LAST, array_position(requested.locales, coalesce(t.locale, ''))
            LIMIT 1) AS chosen
        )
        SELECT part, id, updated_at, size FROM used LIMIT 66
    ) AS found
