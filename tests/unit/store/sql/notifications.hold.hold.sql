WITH asked AS (
        SELECT DISTINCT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS asked (id, attempt)
    ), mine AS MATERIALIZED (
        SELECT n.id, n.attempt, n.send_until, n.lapses
        FROM notify.ent_notification n JOIN asked ON n.id = asked.id AND n.attempt = asked.attempt
        WHERE n.notification_status = 'PROCESSING'
        ORDER BY n.id
        FOR UPDATE OF n
    ), held AS (
        UPDATE notify.ent_notification AS n SET
            send_until = clock_timestamp() + make_interval(secs => :send),
            lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
            lapses = n.lapses + (mine.send_until IS NOT NULL)::int,
            unknown_outcomes = n.unknown_outcomes + (mine.send_until IS NOT NULL)::int
        FROM mine
        WHERE n.id = mine.id AND (mine.send_until IS NULL OR mine.send_until < clock_timestamp())
            AND (:alone OR mine.send_until IS NULL AND mine.lapses = 0)
        RETURNING n.*
    )
    SELECT mine.id, mine.attempt, held.send_until, held.enterprise_id, held.notification_workflow_id,
        held.transaction_id, held.payload, held.recipients, held.channels::text[] AS channels, held.overrides,
        held.refusals, held.unknown_outcomes, held.lapses, held.failure_count, held.retract_requested_at,
        coalesce(held.expires_at <= clock_timestamp(), false) AS expired,
        least(greatest(held.created_at, held.scheduled_for), clock_timestamp()) AS due_at, w.updated_at AS workflow_version,
        CASE WHEN held.id IS NULL
            THEN coalesce(extract(epoch FROM mine.send_until - clock_timestamp()), 0) ELSE 0 END::float8 AS live
    FROM mine
    LEFT JOIN held ON held.id = mine.id
    LEFT JOIN notify.ent_notification_workflow w ON w.id = held.notification_workflow_id
    ORDER BY mine.id
