SELECT format('rules: %s are INVALID and %s FAILED; run `xnovu rules list` to see why', invalid, failed)
    FROM (
        SELECT count(*) FILTER (WHERE rule_status = 'INVALID') AS invalid,
            count(*) FILTER (WHERE rule_status = 'FAILED') AS failed
        FROM notify.ent_notification_rule
    ) AS counted
    WHERE invalid + failed > 0
