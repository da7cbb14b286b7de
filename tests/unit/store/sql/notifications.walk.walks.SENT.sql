WITH RECURSIVE enterprises (enterprise_id, created_at, id) AS (
        -- The enterprise that the walk has reached, with the place in it; then each enterprise that has such rows.
        SELECT CAST(:reached AS text), CAST(:created_at AS timestamptz), CAST(:id AS bigint)
        UNION ALL
        SELECT (
            SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE n.notification_status = 'SENT' AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0 AND n.enterprise_id ~>~ enterprises.enterprise_id
            ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1), CAST(:since AS timestamptz), CAST(0 AS bigint)
        FROM enterprises WHERE CAST(:enterprise AS text) IS NULL AND enterprises.enterprise_id IS NOT NULL
    ), slice AS MATERIALIZED (
        -- The next rows.
        SELECT following.enterprise_id, following.created_at, following.id
        FROM enterprises, LATERAL (
            SELECT n.enterprise_id, n.created_at, n.id FROM notify.ent_notification n
            WHERE n.notification_status = 'SENT' AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0 AND n.enterprise_id = enterprises.enterprise_id
                AND (n.created_at, n.id) > (enterprises.created_at, enterprises.id) AND n.created_at < :until
            ORDER BY n.notification_status, n.created_at, n.id LIMIT 1000
        ) AS following
        LIMIT 1000
    )
    SELECT slice.enterprise_id, slice.created_at, slice.id, matching.id IS NOT NULL AS is_matching
    FROM slice LEFT JOIN LATERAL (
        SELECT n.id FROM notify.ent_notification n
        WHERE n.id = slice.id
            AND (CAST(:code AS text) IS NULL OR n.error_details ->> 'code' = :code)
            AND (CAST(:workflow AS text) IS NULL OR n.notification_workflow_id IN (
                SELECT chosen.id FROM notify.ent_notification_workflow chosen WHERE chosen.workflow_key = :workflow))
            AND (CAST(:rule AS bigint) IS NULL OR n.notification_rule_id = :rule)
            AND (CAST(:tag AS text) IS NULL OR :tag = ANY (n.tags))
            AND (CAST(:recipient AS text) IS NULL OR :recipient = ANY (n.recipients))
            AND (n.updated_at < CAST(:ended AS timestamptz) OR n.notification_status IN ('PENDING', 'PROCESSING', 'FAILED'))
        -- Without a limit it would be a join, and the planner may read the whole table for it.
        LIMIT 1
    ) AS matching ON true
