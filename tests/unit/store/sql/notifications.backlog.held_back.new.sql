SELECT (SELECT count(*) FROM notify.ent_notification n WHERE n.notification_status = 'PROCESSING') >= :max_in_flight
        OR EXISTS (
            SELECT FROM notify.ent_enterprise_limit l
            WHERE (CAST(:enterprises AS text[]) IS NULL OR l.enterprise_id = ANY (CAST(:enterprises AS text[])))
                -- The enterprise's oldest due row, found by the index by age.
                AND (SELECT true FROM notify.ent_notification n
                    WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND true AND n.enterprise_id = l.enterprise_id
                    ORDER BY n.id LIMIT 1))
