SELECT r.id, problem.reason
    FROM notify.ent_notification_rule r
    JOIN notify.ent_notification_workflow w ON w.id = r.notification_workflow_id
    LEFT JOIN LATERAL (
        -- The recipients in their order; no row unless there are some, and all are non-empty text.
        SELECT array_agg(recipient.value #>> '{}' ORDER BY recipient.position) AS recipients
        FROM jsonb_array_elements(CASE jsonb_typeof(r.rule_payload -> 'recipients')
            WHEN 'array' THEN r.rule_payload -> 'recipients' ELSE '[]' END)
            WITH ORDINALITY AS recipient (value, position)
        HAVING bool_and(jsonb_typeof(recipient.value) = 'string' AND recipient.value <> '""')
    ) AS named ON true
    CROSS JOIN LATERAL (VALUES
        (1, w.enterprise_id <> r.enterprise_id,
            'its workflow ' || w.id || ' belongs to another enterprise; choose one of its own, or a global one'),
        (2, w.publish_status <> 'PUBLISH', 'its workflow ' || w.id || ' is not published; publish it'),
        (3, w.deactivated, 'its workflow ' || w.id || ' is deactivated; activate it'),
        (4, r.rule_payload -> 'recipients' IS NULL,
            'rule_payload has no recipients; write {"recipients": ["a subscriber''s id"]}'),
        (5, r.rule_payload -> 'recipients' IS NOT NULL AND named.recipients IS NULL,
            'rule_payload.recipients is not a list of subscriber ids; write a list with at least one id, none empty')
    ) AS problem (number, applies, reason)
    WHERE problem.applies AND (CAST(:ids AS bigint[]) IS NULL OR r.id = ANY (CAST(:ids AS bigint[])))
    ORDER BY r.id, problem.number
