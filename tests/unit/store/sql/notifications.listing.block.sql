WITH block AS MATERIALIZED (
        -- The next rows in the order of their ids.
        SELECT min(id) AS id, count(*) AS size FROM (
            SELECT n.id FROM notify.ent_notification n WHERE n.id < :id ORDER BY n.id DESC LIMIT 10000) AS ids
    )
    SELECT block.id AS last_id, block.size, last.created_at AS last_created_at, matching.*
    FROM block JOIN notify.ent_notification last ON last.id = block.id LEFT JOIN LATERAL (
        SELECT n.created_at, n.id, n.enterprise_id, n.notification_status AS status, w.workflow_key, n.recipients[1] AS recipient,
            cardinality(n.recipients) AS recipient_count, n.error_details ->> 'code' AS code,
            n.error_details ->> 'message' AS message
        FROM notify.ent_notification n LEFT JOIN notify.ent_notification_workflow w ON w.id = n.notification_workflow_id
        WHERE n.id >= block.id AND n.id < :id AND n.created_at >= :since
            AND n.notification_status = ANY (CAST(:states AS notify.notification_status[]))
            AND (CAST(:code AS text) IS NULL OR n.error_details ->> 'code' = :code)
            AND (CAST(:workflow AS text) IS NULL OR n.notification_workflow_id IN (
                SELECT chosen.id FROM notify.ent_notification_workflow chosen WHERE chosen.workflow_key = :workflow))
            AND (CAST(:rule AS bigint) IS NULL OR n.notification_rule_id = :rule)
            AND (CAST(:tag AS text) IS NULL OR :tag = ANY (n.tags))
            AND (CAST(:recipient AS text) IS NULL OR :recipient = ANY (n.recipients))
            AND (n.updated_at < CAST(:ended AS timestamptz) OR n.notification_status IN ('PENDING', 'PROCESSING', 'FAILED'))
        ORDER BY n.id DESC LIMIT 200
    ) AS matching ON true
    ORDER BY matching.id DESC
