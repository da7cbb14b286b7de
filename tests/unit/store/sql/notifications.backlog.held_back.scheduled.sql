WITH RECURSIVE enterprises (enterprise_id) AS (
            -- The enterprises with rows of this loop, one after the other.
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
            UNION ALL
            SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                    WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.enterprise_id ~>~ enterprises.enterprise_id
                    ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL
        ),
    found AS MATERIALIZED (
        -- The rows in flight, and those of them that are queued.
        SELECT count(*) AS number, count(*) FILTER (WHERE n.send_until IS NULL AND n.claimed_at > clock_timestamp() - interval '2 seconds') AS queued,
            count(*) FILTER (WHERE n.send_until IS NULL AND n.claimed_at <= CAST(:newest AS timestamptz)
            AND n.claimed_at > CAST(:newest AS timestamptz) - interval '2 seconds') AS measured
        FROM notify.ent_notification n WHERE n.notification_status = 'PROCESSING'
    )
    SELECT found.queued, found.measured, clock_timestamp() AS read_at, EXISTS (
        SELECT FROM (
            SELECT unnest(CAST(:enterprises AS text[])) AS enterprise_id
            UNION ALL
            SELECT enterprise_id FROM enterprises WHERE CAST(:enterprises AS text[]) IS NULL
        ) AS served
        WHERE (
            -- From half on, a claim may leave out an enterprise whose rivals have rows that somebody has locked.
            (SELECT number >= greatest(CAST(:max_in_flight AS bigint) / 2, 1)
                OR queued >= CAST(:most_queued AS bigint) / 2 FROM found)
            OR EXISTS (SELECT FROM notify.ent_enterprise_limit l
                WHERE l.enterprise_id = served.enterprise_id AND num_nonnulls(l.rate, l.in_flight, l.burst) > 0)
        )
        -- The enterprise's oldest due row, found by the bounds of the index by age.
        AND (SELECT true FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority >= 0 AND n.scheduled_for <= now() AND n.enterprise_id = served.enterprise_id
                AND n.enterprise_id ~>=~ served.enterprise_id AND n.enterprise_id ~<=~ served.enterprise_id
            ORDER BY n.scheduled_for, n.id LIMIT 1)
        -- What is paused waits for a person, who wakes the loops.
        AND NOT EXISTS (SELECT FROM notify.pause p WHERE (p.ends_at IS NULL OR p.ends_at > now()) AND p.workflow_key IS NULL
            AND (p.enterprise_id IS NULL OR p.enterprise_id = served.enterprise_id))
    ) AS is_held_back
    FROM found
