WITH RECURSIVE
in_flight AS MATERIALIZED (
    SELECT n.enterprise_id, count(*) AS held FROM notify.ent_notification n
    WHERE n.notification_status = 'PROCESSING' AND CAST(:counting AS bool)
    GROUP BY n.enterprise_id
    UNION ALL
    SELECT * FROM unnest(CAST(:holders AS text[]), CAST(:held AS bigint[])) AS remembered (enterprise_id, held)
),
budget AS MATERIALIZED (
    SELECT CAST(least(:places, CAST(:max_in_flight AS bigint) - coalesce(sum(held), 0)) AS int) AS places FROM in_flight
),
ahead (enterprise_id) AS (
    (SELECT n.enterprise_id FROM notify.ent_notification n
     WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.enterprise_id > :after ORDER BY n.enterprise_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.enterprise_id > ahead.enterprise_id ORDER BY n.enterprise_id LIMIT 1)
    FROM ahead WHERE ahead.enterprise_id IS NOT NULL
),
behind (enterprise_id) AS (
    (SELECT n.enterprise_id FROM notify.ent_notification n
     WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.enterprise_id <= :after ORDER BY n.enterprise_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.enterprise_id > behind.enterprise_id AND n.enterprise_id <= :after
            ORDER BY n.enterprise_id LIMIT 1)
    FROM behind WHERE behind.enterprise_id IS NOT NULL
),
ring AS (
    SELECT enterprise_id FROM ahead UNION ALL SELECT enterprise_id FROM behind
),
served AS MATERIALIZED (
    SELECT enterprise_id, number, top, row_number() OVER () AS place
    FROM (
        SELECT asked.enterprise_id, asked.number, (
            SELECT level.priority FROM generate_series(9, 0, -1) AS level (priority)
            WHERE (SELECT true FROM notify.ent_notification n
                WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated
            AND n.enterprise_id = asked.enterprise_id AND n.priority = level.priority AND n.priority BETWEEN level.priority AND level.priority
            AND true AND n.id > coalesce((CAST(:marks AS bigint[]))[((asked.number - 1) * 11 + 1 + level.priority)], 0) LIMIT 1)
            LIMIT 1) AS top
        FROM (
            SELECT ring.enterprise_id, array_position(CAST(:known AS text[]), ring.enterprise_id) AS number
            FROM ring WHERE ring.enterprise_id IS NOT NULL AND (SELECT places FROM budget) > 0
        ) AS asked
        OFFSET 0 -- once an enterprise, not once a use
    ) AS due
    WHERE top IS NOT NULL
    -- Also a claim of one row has to know whether there is a rival.
    LIMIT greatest(100, 2)
),
limited AS MATERIALIZED (
    SELECT told.enterprise_id, bucket.counted_at, bucket.tokens, CASE
        -- Somebody claims from it, or has since this statement began: what he took is not to be seen here.
        WHEN bucket.updated_at IS DISTINCT FROM told.updated_at THEN 0
        -- A tenth of a second's worth at least, or every claim would take one row.
        WHEN bucket.tokens < greatest(1, told.rate / 10) THEN 0
        ELSE least(floor(bucket.tokens), CASE WHEN told.in_flight IS NOT NULL THEN
            greatest(0, told.in_flight - (
                SELECT count(*) FROM notify.ent_notification n
                WHERE n.notification_status = 'PROCESSING' AND n.enterprise_id = told.enterprise_id))
            END)
        END AS most
    FROM served
    CROSS JOIN LATERAL (
        SELECT * FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = served.enterprise_id
    ) AS told
    LEFT JOIN LATERAL (
        SELECT free.updated_at, free.at AS counted_at,
            least(1 + free.rate / 4, coalesce(CASE WHEN free.counted_at <= free.at THEN free.tokens END, 'infinity')
                + free.rate * coalesce(extract(epoch FROM free.at - free.counted_at), 0)) AS tokens
        FROM (
            SELECT l.updated_at, l.rate, l.tokens, l.counted_at, clock_timestamp() AS at
            FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = served.enterprise_id
            FOR UPDATE SKIP LOCKED
        ) AS free
    ) AS bucket ON true
),
wish AS (
    SELECT served.enterprise_id, served.number, served.top, served.place, budget.places, least(
        limited.most,
        ceil(1.0 * budget.places / greatest(rivals.able, 1)),
        CASE WHEN rivals.count > 1 THEN
            greatest(greatest(CAST(:max_in_flight AS bigint) / 2, 1) - coalesce(in_flight.held, 0), 0)
        ELSE budget.places END) AS share
    FROM served CROSS JOIN budget CROSS JOIN (
        SELECT count(*), count(*) - (SELECT count(*) FROM limited WHERE most = 0) AS able FROM served
    ) AS rivals
    LEFT JOIN in_flight USING (enterprise_id)
    LEFT JOIN limited USING (enterprise_id)
),
cut AS (
    SELECT enterprise_id, number, top, place, CAST(greatest(least(share,
        places - coalesce(sum(share) OVER (ORDER BY place ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW), 0)
    ), 0) AS int) AS share
    FROM wish
),
share AS MATERIALIZED (
    SELECT enterprise_id, number, top, place, share - (share + :spin) / 10 AS urgent, (share + :spin) / 10 AS oldest
    FROM cut WHERE share > 0
),
picked AS MATERIALIZED (
    SELECT one.id, one.lane, share.place, share.enterprise_id
    FROM share, LATERAL (
        -- A LIMIT that is a number, about each that is not: the planner takes that one for a tenth of the table.
        SELECT ARRAY(SELECT eldest.id FROM (
            SELECT n.id FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated
            AND n.enterprise_id = share.enterprise_id AND n.priority >= 0 AND n.enterprise_id BETWEEN share.enterprise_id AND share.enterprise_id
            AND true AND n.id > coalesce((CAST(:marks AS bigint[]))[((share.number - 1) * 11 + 1 + 10)], 0)
            ORDER BY n.id
            LIMIT share.oldest
            FOR UPDATE SKIP LOCKED
        ) AS eldest LIMIT 100) AS ids
        OFFSET 0 -- once a share, not once a use
    ) AS elders, LATERAL (
        SELECT unnest(elders.ids) AS id, 10 AS lane
        UNION ALL
        SELECT urgent.id, urgent.lane FROM (
            SELECT levelled.id, level.priority AS lane
            FROM generate_series(share.top, 0, -1) AS level (priority), LATERAL (
                SELECT first.id FROM (
                    SELECT n.id FROM notify.ent_notification n
                    WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated
            AND n.enterprise_id = share.enterprise_id AND n.priority = level.priority AND n.priority BETWEEN level.priority AND level.priority
            AND true AND n.id > coalesce((CAST(:marks AS bigint[]))[((share.number - 1) * 11 + 1 + level.priority)], 0)
                        AND n.id <> ALL (elders.ids)
                    ORDER BY n.id
                    LIMIT share.urgent
                    FOR UPDATE SKIP LOCKED
                ) AS first LIMIT 100
            ) AS levelled
            LIMIT share.urgent
        ) AS urgent
    ) AS one
    LIMIT 100
),
taken AS (
    UPDATE notify.ent_enterprise_limit AS l SET
        tokens = limited.tokens - counted.picked, counted_at = limited.counted_at
    FROM limited JOIN (
        SELECT enterprise_id, count(*) AS picked FROM picked GROUP BY enterprise_id
    ) AS counted USING (enterprise_id)
    WHERE l.enterprise_id = limited.enterprise_id
),
numbered AS MATERIALIZED (
    SELECT id, lane, place, row_number() OVER (ORDER BY place, id) - 1 AS number FROM picked
)
UPDATE notify.ent_notification AS n SET
    notification_status = 'PROCESSING',
    attempt = n.attempt + 1,
    lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
    -- A row that lapsed runs alone, lest it take its group with it.
    temporal_workflow_id = CASE WHEN :group_size = 1 OR n.lapses > 0
        THEN concat(CAST(:prefix AS text), '-notification-', n.id, '-', n.attempt + 1)
        ELSE (CAST(:groups AS text[]))[1 + numbered.number / :group_size] END
FROM numbered
WHERE n.id = numbered.id
RETURNING n.id, n.attempt, n.enterprise_id, n.temporal_workflow_id, n.priority, numbered.place, numbered.lane, CAST(NULL AS timestamptz) AS time,
    (SELECT w.workflow_key FROM notify.ent_notification_workflow w
     WHERE w.id = n.notification_workflow_id) AS workflow_key,
    CASE WHEN numbered.number = 0 AND CAST(:counting AS bool) THEN
        (SELECT coalesce(jsonb_object_agg(enterprise_id, held), '{}') FROM in_flight) END AS held
