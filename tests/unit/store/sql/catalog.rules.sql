SELECT r.id FROM notify.ent_notification_rule r
    WHERE r.id > :after AND r.id <= :last AND (CAST(:enterprise AS text) IS NULL OR r.enterprise_id = :enterprise)
        AND (NOT :faulty OR r.rule_error IS NOT NULL OR r.last_outcome NOT IN ('created', 'repeated'))
    ORDER BY r.id LIMIT 51
