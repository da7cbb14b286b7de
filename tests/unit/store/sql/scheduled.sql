WITH RECURSIVE
in_flight AS MATERIALIZED (
    SELECT enterprise_id, count(*) AS held FROM notify.ent_notification
    WHERE notification_status = 'PROCESSING' GROUP BY enterprise_id
),
budget AS MATERIALIZED (
    SELECT least(100, CAST(:max_in_flight AS bigint) - coalesce(sum(held), 0)) AS places FROM in_flight
),
ahead (enterprise_id) AS (
    (SELECT enterprise_id FROM notify.ent_notification
     WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH' AND NOT deactivated AND enterprise_id > :after ORDER BY enterprise_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH' AND NOT deactivated AND n.enterprise_id > ahead.enterprise_id ORDER BY n.enterprise_id LIMIT 1)
    FROM ahead WHERE ahead.enterprise_id IS NOT NULL
),
behind (enterprise_id) AS (
    (SELECT enterprise_id FROM notify.ent_notification
     WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH' AND NOT deactivated AND enterprise_id <= :after ORDER BY enterprise_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH' AND NOT deactivated AND n.enterprise_id > behind.enterprise_id AND n.enterprise_id <= :after
            ORDER BY n.enterprise_id LIMIT 1)
    FROM behind WHERE behind.enterprise_id IS NOT NULL
),
ring AS (
    SELECT enterprise_id FROM ahead UNION ALL SELECT enterprise_id FROM behind
),
served AS MATERIALIZED (
    SELECT enterprise_id, row_number() OVER () AS place
    FROM (
        SELECT ring.enterprise_id FROM ring
        WHERE ring.enterprise_id IS NOT NULL AND (SELECT places FROM budget) > 0 AND EXISTS (
            SELECT FROM notify.ent_notification n
            WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH' AND NOT deactivated AND n.scheduled_for <= now() AND n.enterprise_id = ring.enterprise_id)
        -- Also a claim of one row has to know whether there is a rival.
        LIMIT greatest(100, 2)
    ) AS due
),
wish AS (
    SELECT served.enterprise_id, served.place, budget.places, least(
        ceil(budget.places / rivals.count),
        CASE WHEN rivals.count > 1 THEN
            greatest(greatest(CAST(:max_in_flight AS bigint) / 2, 1) - coalesce(in_flight.held, 0), 0)
        ELSE budget.places END) AS share
    FROM served CROSS JOIN budget CROSS JOIN (SELECT count(*) FROM served) AS rivals
    LEFT JOIN in_flight USING (enterprise_id)
),
cut AS (
    SELECT enterprise_id, place, CAST(greatest(least(share,
        places - coalesce(sum(share) OVER (ORDER BY place ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW), 0)
    ), 0) AS int) AS share
    FROM wish
),
share AS MATERIALIZED (
    SELECT enterprise_id, place, share - (share + :spin) / 10 AS urgent, (share + :spin) / 10 AS oldest
    FROM cut WHERE share > 0
),
picked AS MATERIALIZED (
    SELECT one.id, share.place
    FROM share, LATERAL (
        SELECT ARRAY(
            SELECT n.id FROM notify.ent_notification n
            WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH' AND NOT deactivated AND n.scheduled_for <= now() AND n.enterprise_id = share.enterprise_id
            ORDER BY n.scheduled_for, n.id
            LIMIT share.oldest
            FOR UPDATE SKIP LOCKED
        ) AS ids
        OFFSET 0 -- once a share, not once a use
    ) AS elders, LATERAL (
        SELECT unnest(elders.ids) AS id
        UNION ALL
        SELECT urgent.id FROM (
            SELECT timed.id
            FROM generate_series(9, 0, -1) AS level (priority), LATERAL (
                SELECT n.id FROM notify.ent_notification n
                WHERE notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND publish_status = 'PUBLISH' AND NOT deactivated AND n.scheduled_for <= now()
                    AND n.enterprise_id = share.enterprise_id AND n.priority = level.priority
                    AND n.id <> ALL (elders.ids)
                ORDER BY n.scheduled_for, n.id
                LIMIT share.urgent
                FOR UPDATE SKIP LOCKED
            ) AS timed
            LIMIT share.urgent
        ) AS urgent
    ) AS one
    LIMIT 100
),
numbered AS MATERIALIZED (
    SELECT id, place, row_number() OVER (ORDER BY place, id) - 1 AS number FROM picked
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
RETURNING n.id, n.attempt, n.enterprise_id, n.temporal_workflow_id, n.priority, numbered.place,
    (SELECT w.workflow_key FROM notify.ent_notification_workflow w
     WHERE w.id = n.notification_workflow_id) AS workflow_key
