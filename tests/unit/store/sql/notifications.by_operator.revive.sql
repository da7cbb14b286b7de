WITH ended AS MATERIALIZED (
        -- The DEAD and RETRACTED rows. `renamed`: Novu was asked to cancel the row, so it needs another transaction id.
        -- `doubtful`: Novu may have accepted something of it.
        SELECT n.id, coalesce(n.processed_at, n.retracted_at) AS ended_at,
            n.notification_status = 'RETRACTED' AND n.error_details ? 'delivery' AS renamed,
            n.unknown_outcomes > 0 OR EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome = 'unknown') AS doubtful
        FROM notify.ent_notification n
        WHERE n.id = ANY (CAST(:ids AS bigint[])) AND n.notification_status IN ('DEAD', 'RETRACTED')
        ORDER BY n.id
        FOR UPDATE OF n
    ), chosen AS MATERIALIZED (
        -- The rows to revive: sending them again is harmless, or is forced.
        SELECT id, renamed FROM ended
        WHERE :force OR renamed OR NOT doubtful
            OR ended_at > clock_timestamp() - make_interval(secs => :remembered)
    ), removed AS (
        -- The unaccepted chunks of renamed rows: delete them, so that they are created again under the new id.
        DELETE FROM notify.ent_notification_delivery AS d USING chosen
        WHERE d.notification_id = chosen.id AND chosen.renamed AND d.outcome IS DISTINCT FROM 'accepted'
    ), reopened AS (
        -- The refused chunks of the other rows: forget the refusal, so that they are sent again.
        UPDATE notify.ent_notification_delivery AS d SET outcome = NULL, error_details = NULL, answered_at = NULL
        FROM chosen WHERE d.notification_id = chosen.id AND NOT chosen.renamed AND d.outcome = 'refused'
    ), revived AS (
        -- The notifications themselves.
        UPDATE notify.ent_notification AS n SET notification_status = 'PENDING', failure_count = 0, lapses = 0,
            next_attempt_at = NULL, processed_at = NULL, error_details = NULL,
            retract_requested_at = NULL, retracted_at = NULL, retraction_reason = NULL,
            transaction_id = CASE WHEN chosen.renamed THEN 'xn-' || gen_random_uuid() ELSE n.transaction_id END,
            unknown_outcomes = CASE WHEN chosen.renamed THEN 0 ELSE n.unknown_outcomes END
        FROM chosen WHERE n.id = chosen.id
        RETURNING n.id, n.notification_status
    )
    SELECT ended.id, revived.notification_status AS status FROM ended LEFT JOIN revived USING (id)
