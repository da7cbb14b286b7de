WITH requested AS (
        -- The attempts of the caller, each once.
        SELECT DISTINCT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS requested (id, attempt)
    ), locked AS MATERIALIZED (
        -- The rows that are still at that attempt; the others are late, or locked by another session.
        SELECT n.id, n.attempt, n.send_until, n.lapses, coalesce((n.send_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 min'), false) AS is_live,
            coalesce(pg_column_size(n.payload), 0) + coalesce(pg_column_size(n.recipients), 0) + coalesce(pg_column_size(n.overrides), 0) + coalesce(pg_column_size(n.context), 0) + coalesce(pg_column_size(n.exclude), 0) + coalesce(pg_column_size(n.subscribers), 0) AS stored, CAST(CASE
            WHEN num_nonnulls(pg_column_compression(n.payload), pg_column_compression(n.recipients), pg_column_compression(n.overrides), pg_column_compression(n.context), pg_column_compression(n.exclude), pg_column_compression(n.subscribers)) = 0 THEN 6 * CAST(coalesce(pg_column_size(n.payload), 0) + coalesce(pg_column_size(n.recipients), 0) + coalesce(pg_column_size(n.overrides), 0) + coalesce(pg_column_size(n.context), 0) + coalesce(pg_column_size(n.exclude), 0) + coalesce(pg_column_size(n.subscribers), 0) AS bigint)
            WHEN coalesce(pg_column_size(n.payload), 0) + coalesce(pg_column_size(n.recipients), 0) + coalesce(pg_column_size(n.overrides), 0) + coalesce(pg_column_size(n.context), 0) + coalesce(pg_column_size(n.exclude), 0) + coalesce(pg_column_size(n.subscribers), 0) <= 4096 THEN coalesce(octet_length(n.payload::text), 0) + coalesce(octet_length(n.recipients::text), 0) + coalesce(octet_length(n.overrides::text), 0) + coalesce(octet_length(n.context::text), 0) + coalesce(octet_length(n.exclude::text), 0) + coalesce(octet_length(n.subscribers::text), 0)
            ELSE 100 * CAST(coalesce(pg_column_size(n.payload), 0) + coalesce(pg_column_size(n.recipients), 0) + coalesce(pg_column_size(n.overrides), 0) + coalesce(pg_column_size(n.context), 0) + coalesce(pg_column_size(n.exclude), 0) + coalesce(pg_column_size(n.subscribers), 0) AS bigint) END AS bigint) AS most_bytes
        FROM notify.ent_notification n JOIN requested ON n.id = requested.id AND n.attempt = requested.attempt
        WHERE n.notification_status BETWEEN 'PROCESSING' AND 'PROCESSING'
        ORDER BY n.id
        FOR NO KEY UPDATE OF n SKIP LOCKED
    ), weighed AS MATERIALIZED (
        -- Whether there is room for each row, the lightest first.
        SELECT locked.*, CAST(:room AS bigint) IS NULL
            OR sum(most_bytes) OVER (ORDER BY most_bytes, locked.id) <= CAST(:room AS bigint) AS fits
        FROM locked
    ), held AS (
        -- The rows that nobody is sending. A `send_until` that is over and that nobody cleared is a lapse: its sender died.
        UPDATE notify.ent_notification AS n SET
            send_until = clock_timestamp() + make_interval(secs => :send),
            updated_at = clock_timestamp(),
            lapses = n.lapses + (locked.send_until IS NOT NULL)::int,
            unknown_outcomes = n.unknown_outcomes + (locked.send_until IS NOT NULL)::int
        FROM weighed AS locked
        WHERE n.id = locked.id AND NOT locked.is_live AND locked.fits
            AND (:with_lapsed OR locked.send_until IS NULL AND locked.lapses = 0)
        RETURNING n.*,
            -- Only a row that may be too large is read for its exact weight.
            CASE WHEN locked.most_bytes <= 25165824 THEN locked.most_bytes
                WHEN locked.stored > 25165824 THEN CAST(locked.stored AS bigint)
                ELSE coalesce(octet_length(n.payload::text), 0) + coalesce(octet_length(n.recipients::text), 0) + coalesce(octet_length(n.overrides::text), 0) + coalesce(octet_length(n.context::text), 0) + coalesce(octet_length(n.exclude::text), 0) + coalesce(octet_length(n.subscribers::text), 0) END AS weight
    )
    SELECT locked.id, locked.attempt, held.send_until, held.name, held.enterprise_id, held.notification_workflow_id,
        held.transaction_id, held.channels::text[] AS channels, held.weight,
        CASE WHEN held.weight <= 25165824 THEN convert_to(held.payload::text, 'UTF8') ELSE '{}' END AS payload,
        CASE WHEN held.weight <= 25165824 THEN held.recipients ELSE '{}' END AS recipients,
        CASE WHEN held.weight <= 25165824 THEN convert_to(held.overrides::text, 'UTF8') END AS overrides,
        CASE WHEN held.weight <= 25165824 THEN convert_to(held.context::text, 'UTF8') END AS context,
        CASE WHEN held.weight <= 25165824 THEN held.exclude END AS exclude,
        CASE WHEN held.weight <= 25165824 THEN convert_to(held.subscribers::text, 'UTF8') END AS subscribers,
        held.locale, held.time_zone, held.actor, held.temporal_workflow_id, w.workflow_key,
        held.refusals, held.unknown_outcomes, held.lapses, held.failure_count, held.retract_requested_at,
        CASE WHEN held.scheduled_for BETWEEN '0100-01-01Z' AND '9000-01-01Z' THEN held.scheduled_for END AS scheduled_for,
        held.fired_at,
        -- Whether earlier tries sent PUSH by itself: the text may have become shorter since.
        CASE WHEN 'PUSH' = ANY (coalesce(held.channels, w.default_channels)) THEN (
            SELECT bool_or(d.transaction_id LIKE '%-push%') FROM notify.ent_notification_delivery d
            WHERE d.notification_id = held.id) END AS push_apart,
        coalesce(held.expires_at <= clock_timestamp(), false) AS expired,
        least(greatest(held.created_at, held.scheduled_for), clock_timestamp()) AS due_at,
        w.updated_at AS workflow_version, e.updated_at AS enterprise_version,
        -- For how many more seconds another process may be sending.
        CASE WHEN locked.is_live
            THEN greatest(extract(epoch FROM locked.send_until - clock_timestamp()), 0.001) ELSE 0 END::float8 AS live,
        CASE WHEN locked.send_until IS NULL AND locked.lapses = 0 AND NOT locked.fits THEN locked.most_bytes END AS heavy
    FROM weighed AS locked
    LEFT JOIN held ON held.id = locked.id
    LEFT JOIN notify.ent_notification_workflow w ON w.id = held.notification_workflow_id
    LEFT JOIN notify.ent_enterprise e ON e.enterprise_id = held.enterprise_id
    ORDER BY locked.id -- so that the planner merges the two lists, and does not compare each row with each
