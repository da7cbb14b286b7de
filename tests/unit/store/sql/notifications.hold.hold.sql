WITH requested AS (
        -- The attempts of the caller, each once.
        SELECT DISTINCT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt; the others are late.
        SELECT n.id, n.attempt, n.send_until, n.lapses
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id AND n.attempt = requested.attempt
        WHERE n.notification_status = 'PROCESSING'
        ORDER BY n.id
        FOR UPDATE OF n
    ), held AS (
        -- The rows that nobody is sending. A past `send_until` that nobody cleared is a lapse: its sender died.
        UPDATE notify.ent_notification AS n SET
            send_until = clock_timestamp() + make_interval(secs => :send),
            lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
            lapses = n.lapses + (locked.send_until IS NOT NULL)::int,
            unknown_outcomes = n.unknown_outcomes + (locked.send_until IS NOT NULL)::int
        FROM locked
        WHERE n.id = locked.id AND (locked.send_until IS NULL OR locked.send_until < clock_timestamp())
            AND (:with_lapsed OR locked.send_until IS NULL AND locked.lapses = 0)
        RETURNING n.*
    )
    SELECT locked.id, locked.attempt, held.send_until, held.enterprise_id, held.notification_workflow_id,
        held.transaction_id, held.payload, held.recipients, held.channels::text[] AS channels, held.overrides,
        held.refusals, held.unknown_outcomes, held.lapses, held.failure_count, held.retract_requested_at,
        coalesce(held.expires_at <= clock_timestamp(), false) AS expired,
        least(greatest(held.created_at, held.scheduled_for), clock_timestamp()) AS due_at, w.updated_at AS workflow_version,
        -- For how many more seconds another process may be sending.
        CASE WHEN held.id IS NULL
            THEN coalesce(extract(epoch FROM locked.send_until - clock_timestamp()), 0) ELSE 0 END::float8 AS live
    FROM locked
    LEFT JOIN held ON held.id = locked.id
    LEFT JOIN notify.ent_notification_workflow w ON w.id = held.notification_workflow_id
    ORDER BY locked.id
