SELECT clock_timestamp() AS now, n.id, n.enterprise_id, n.notification_status::text AS status,
        n.publish_status::text AS publish_status, n.deactivated, cardinality(n.recipients) AS recipients,
        (SELECT w.workflow_key FROM notify.ent_notification_workflow w WHERE w.id = n.notification_workflow_id)
            AS workflow_key,
        n.notification_rule_id AS rule_id, n.created_at, n.created_by, n.fired_at,
        CASE WHEN n.scheduled_for IS NOT NULL THEN greatest(least(n.scheduled_for, '9000-01-01Z'), '0100-01-01Z') END AS scheduled_for,
        CASE WHEN n.expires_at IS NOT NULL THEN greatest(least(n.expires_at, '9000-01-01Z'), '0100-01-01Z') END AS expires_at,
        n.transaction_id, n.attempt, n.failure_count, n.refusals, n.unknown_outcomes, n.lapses, n.claimed_at,
        n.lease_expires_at, n.send_until, coalesce((n.send_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 min'), false) AS is_live, n.next_attempt_at,
        n.retract_requested_at, n.retracted_at, n.retraction_reason, n.processed_at, n.temporal_workflow_id AS run_id,
        CASE jsonb_typeof(n.error_details) WHEN 'object' THEN n.error_details ELSE '{}' END AS error,
        (SELECT CAST(count(*) AS int) FROM pg_stat_activity s
            WHERE s.datname = current_database() AND s.application_name = 'xnovu:worker') AS workers,
        (SELECT CAST(l.rate AS float8) FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = n.enterprise_id) AS rate,
        (SELECT l.in_flight FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = n.enterprise_id) AS most_in_flight,
        (SELECT CAST(count(*) AS int) FROM (
            SELECT FROM notify.ent_notification f
            WHERE f.notification_status = 'PROCESSING' AND f.enterprise_id = n.enterprise_id LIMIT 1000
        ) AS flying) AS in_flight,
        (SELECT jsonb_build_array(p.reason, p.paused_by, CASE WHEN p.ends_at < '9000-01-01Z' THEN p.ends_at END) FROM notify.pause p
            WHERE (p.ends_at IS NULL OR p.ends_at > now()) AND (p.enterprise_id IS NULL OR p.enterprise_id = n.enterprise_id)
                -- While a workflow is paused, rows without a workflow wait too.
                AND coalesce(p.workflow_key = (
                    SELECT w.workflow_key FROM notify.ent_notification_workflow w WHERE w.id = n.notification_workflow_id), true)
            ORDER BY p.workflow_key IS NOT NULL, p.enterprise_id IS NOT NULL LIMIT 1) AS pause,
        coalesce((SELECT jsonb_agg(jsonb_build_array(d.chunk, d.transaction_id, cardinality(d.recipients), d.outcome,
                d.refusals, d.error_details ->> 'code', d.answered_at) ORDER BY d.chunk)
            FROM notify.ent_notification_delivery d WHERE d.notification_id = n.id), '[]') AS chunks,
        coalesce((SELECT jsonb_agg(jsonb_build_array(e.arrow, e.happened_at, e.attempt, e.code, e.worker, e.login,
                e.times, e.last_at) ORDER BY e.number)
            FROM notify.ent_notification_event e WHERE e.notification_id = n.id), '[]') AS incidents
    FROM notify.ent_notification n WHERE n.id = :id
