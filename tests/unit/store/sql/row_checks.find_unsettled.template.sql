WITH RECURSIVE owner AS (
        -- The enterprises that have such rows, one index entry each; the empty name is for all enterprises.
        (SELECT coalesce(r.enterprise_id, '') AS name FROM notify.ent_notification_template r
        WHERE r.publish_status = 'PUBLISH' AND NOT r.deactivated AND r.checked_status IS DISTINCT FROM 'OK' ORDER BY coalesce(r.enterprise_id, '') USING ~<~ LIMIT 1)
        UNION ALL
        SELECT (SELECT coalesce(r.enterprise_id, '') FROM notify.ent_notification_template r
            WHERE r.publish_status = 'PUBLISH' AND NOT r.deactivated AND r.checked_status IS DISTINCT FROM 'OK' AND coalesce(r.enterprise_id, '') ~>~ owner.name
            ORDER BY coalesce(r.enterprise_id, '') USING ~<~ LIMIT 1)
        FROM owner WHERE owner.name IS NOT NULL
    )
    SELECT due.id
    FROM owner CROSS JOIN LATERAL (
        -- The first of an enterprise.
        SELECT r.id, row_number() OVER (ORDER BY r.id) AS place FROM notify.ent_notification_template r
        WHERE coalesce(r.enterprise_id, '') = owner.name AND r.publish_status = 'PUBLISH' AND NOT r.deactivated AND r.checked_status IS DISTINCT FROM 'OK'
            AND (r.checked_status IS NULL OR NOT :unchecked AND r.checked_error <> 'payload_schema: its check has not ended; if this stays, it ends the process that compiles it, so simplify it') AND r.id <> ALL (CAST(:without AS bigint[]))
        ORDER BY r.id LIMIT 20
    ) AS due
    ORDER BY due.place, md5(owner.name || CAST(:turn AS text)) LIMIT 100
