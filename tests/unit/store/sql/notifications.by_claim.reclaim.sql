WITH requested AS (
        -- The attempts of the caller.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt, and whose last send and lease have lapsed.
        SELECT n.id FROM notify.ent_notification n JOIN requested ON n.id = requested.id
        WHERE n.attempt = requested.attempt AND n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING'
            AND NOT (n.send_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 min') AND n.lease_expires_at < clock_timestamp()
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET
        attempt = n.attempt + 1, claimed_at = clock_timestamp(),
        lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
        temporal_workflow_id = concat(CAST(:prefix AS text), '-notification-', n.id, '-', n.attempt + 1)
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.attempt, n.enterprise_id, n.temporal_workflow_id, n.priority, n.transaction_id,
        (SELECT w.workflow_key FROM notify.ent_notification_workflow w
         WHERE w.id = n.notification_workflow_id) AS workflow_key
