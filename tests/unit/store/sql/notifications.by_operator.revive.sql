WITH asked AS MATERIALIZED (
        SELECT n.id, coalesce(n.processed_at, n.retracted_at) AS ended_at, n.notification_status = 'RETRACTED' AND n.error_details ? 'delivery' AS anew,
            n.unknown_outcomes > 0 OR EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome = 'unknown') AS doubt
        FROM notify.ent_notification n
        WHERE n.id = ANY (CAST(:ids AS bigint[])) AND n.notification_status IN ('DEAD', 'RETRACTED')
        ORDER BY n.id
        FOR UPDATE OF n
    ), mine AS MATERIALIZED (
        SELECT id, anew FROM asked
        WHERE :force OR anew OR NOT doubt
            OR ended_at > clock_timestamp() - make_interval(secs => :remembered)
    ), recut AS (
        DELETE FROM notify.ent_notification_delivery AS d USING mine
        WHERE d.notification_id = mine.id AND mine.anew AND d.outcome IS DISTINCT FROM 'accepted'
    ), again AS (
        UPDATE notify.ent_notification_delivery AS d SET outcome = NULL, error_details = NULL, answered_at = NULL
        FROM mine WHERE d.notification_id = mine.id AND NOT mine.anew AND d.outcome = 'refused'
    ), revived AS (
        UPDATE notify.ent_notification AS n SET notification_status = 'PENDING', failure_count = 0, lapses = 0,
            next_attempt_at = NULL, processed_at = NULL, error_details = NULL,
            retract_requested_at = NULL, retracted_at = NULL, retraction_reason = NULL,
            transaction_id = CASE WHEN mine.anew THEN 'xn-' || gen_random_uuid() ELSE n.transaction_id END,
            unknown_outcomes = CASE WHEN mine.anew THEN 0 ELSE n.unknown_outcomes END
        FROM mine WHERE n.id = mine.id
        RETURNING n.id
    )
    SELECT asked.id, revived.id IS NOT NULL AS revived FROM asked LEFT JOIN revived USING (id)
