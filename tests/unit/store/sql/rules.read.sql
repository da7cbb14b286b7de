SELECT r.id, r.enterprise_id, left(r.name, 255) AS name, r.notification_workflow_id,
        r.trigger_type::text AS trigger_type, r.trigger_config,
        r.publish_status = 'PUBLISH' AND NOT r.deactivated AS active, r.rule_status::text AS rule_status,
        r.rule_error, r.done_for, r.last_fired_at, r.last_outcome,
        r.updated_at > clock_timestamp() - interval '1 minute' AS recent
    FROM notify.ent_notification_rule r
    WHERE (CAST(:ids AS bigint[]) IS NULL OR r.id = ANY (CAST(:ids AS bigint[])))
        AND (CAST(:after AS bigint) IS NULL OR r.id > CAST(:after AS bigint))
    ORDER BY r.id LIMIT CAST(:size AS bigint)
