WITH asked AS (
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:untils AS timestamptz[]), CAST(:details AS jsonb[]))
            AS asked (id, attempts, untils, details)
    ), mine AS MATERIALIZED (
        SELECT n.id, untils, details FROM notify.ent_notification n JOIN asked ON n.id = asked.id
        WHERE n.attempt = asked.attempts AND n.notification_status = 'PROCESSING' AND n.send_until = asked.untils
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET notification_status = CASE WHEN (n.retract_requested_at IS NOT NULL AND n.unknown_outcomes = 0 AND NOT EXISTS (
            SELECT FROM notify.ent_notification_delivery d
            WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown'))) THEN 'RETRACTED' ELSE 'DEAD' END::notify.notification_status,
        retracted_at = CASE WHEN (n.retract_requested_at IS NOT NULL AND n.unknown_outcomes = 0 AND NOT EXISTS (
            SELECT FROM notify.ent_notification_delivery d
            WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown'))) THEN clock_timestamp() END,
        processed_at = CASE WHEN NOT (n.retract_requested_at IS NOT NULL AND n.unknown_outcomes = 0 AND NOT EXISTS (
            SELECT FROM notify.ent_notification_delivery d
            WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown'))) THEN clock_timestamp() END,
        error_details = CASE WHEN NOT (n.retract_requested_at IS NOT NULL AND n.unknown_outcomes = 0 AND NOT EXISTS (
            SELECT FROM notify.ent_notification_delivery d
            WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown'))) THEN mine.details END, refusals = n.refusals + :refused, lease_expires_at = NULL, send_until = NULL
    FROM mine WHERE n.id = mine.id
    RETURNING n.id
