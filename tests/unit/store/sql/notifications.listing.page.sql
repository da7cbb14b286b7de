WITH RECURSIVE lists (state, enterprise_id) AS (
        -- Each state with the enterprise that is named, or with each that has such rows: a loose index scan.
        SELECT state, coalesce(CAST(:enterprise AS text), (
            SELECT n.enterprise_id FROM notify.ent_notification n WHERE n.notification_status = state AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0
            ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1))
        FROM unnest(CAST(:states AS notify.notification_status[])) AS wanted (state) WHERE state <> 'PROCESSING'
        UNION ALL
        SELECT lists.state, (
            SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE n.notification_status = lists.state AND n.enterprise_id ~>~ lists.enterprise_id AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0
            ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
        FROM lists WHERE CAST(:enterprise AS text) IS NULL AND lists.enterprise_id IS NOT NULL
    ), newest AS MATERIALIZED (
        -- The lists with the newest first rows: the page is among the rows of these.
        SELECT lists.state, lists.enterprise_id
        FROM lists, LATERAL (
            SELECT n.created_at, n.id FROM notify.ent_notification n
            WHERE n.notification_status = lists.state AND n.enterprise_id = lists.enterprise_id AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0
                AND n.created_at >= :since AND (n.created_at, n.id) < (:created_at, :id)
            ORDER BY n.notification_status DESC, n.created_at DESC, n.id DESC LIMIT 1
        ) AS head
        ORDER BY head.created_at DESC, head.id DESC LIMIT 200
    ), page AS MATERIALIZED (
        -- The next rows in the order of time, and with them the rows in flight.
        SELECT listed.created_at, listed.id FROM (
            SELECT each.created_at, each.id
            FROM newest, LATERAL (
                SELECT n.created_at, n.id FROM notify.ent_notification n
                WHERE n.notification_status = newest.state AND n.enterprise_id = newest.enterprise_id AND n.notification_status <> 'PROCESSING' AND n.attempt >= 0
                    AND n.created_at >= :since AND (n.created_at, n.id) < (:created_at, :id)
                ORDER BY n.notification_status DESC, n.created_at DESC, n.id DESC LIMIT 200
            ) AS each
            UNION ALL
            SELECT n.created_at, n.id FROM notify.ent_notification n
            WHERE n.notification_status = 'PROCESSING' AND 'PROCESSING' = ANY (CAST(:states AS notify.notification_status[]))
                AND (CAST(:enterprise AS text) IS NULL OR n.enterprise_id = :enterprise)
                AND n.created_at >= :since AND (n.created_at, n.id) < (:created_at, :id)
        ) AS listed
        ORDER BY listed.created_at DESC, listed.id DESC LIMIT 200
    )
    SELECT page.created_at, page.id, matching.*
    FROM page LEFT JOIN LATERAL (
        SELECT n.enterprise_id, n.notification_status AS status, w.workflow_key, n.recipients[1] AS recipient,
            cardinality(n.recipients) AS recipient_count, n.error_details ->> 'code' AS code,
            n.error_details ->> 'message' AS message
        FROM notify.ent_notification n LEFT JOIN notify.ent_notification_workflow w ON w.id = n.notification_workflow_id
        WHERE n.id = page.id
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
    ORDER BY page.created_at DESC, page.id DESC
