WITH RECURSIVE
in_flight AS MATERIALIZED (
    -- How many notifications each enterprise has in flight, how many of these are queued, and how many of those have been
    -- since the measurement began: counted now, or as remembered.
    SELECT n.enterprise_id, count(*) AS number, count(*) FILTER (WHERE n.send_until IS NULL AND n.claimed_at > clock_timestamp() - interval '2 seconds') AS queued,
        count(*) FILTER (WHERE n.send_until IS NULL AND n.claimed_at <= CAST(:newest AS timestamptz)
            AND n.claimed_at > CAST(:newest AS timestamptz) - interval '2 seconds') AS measured
    FROM notify.ent_notification n
    WHERE n.notification_status = 'PROCESSING' AND CAST(:counting AS bool)
    GROUP BY n.enterprise_id
    UNION ALL
    SELECT remembered.*, 0, 0
    FROM unnest(CAST(:holders AS text[]), CAST(:held AS bigint[])) AS remembered (enterprise_id, number)
),
budget AS MATERIALIZED (
    -- How many rows this claim may take: none unless the queue has room for enough of them, and the switches permit it.
    SELECT CAST(CASE WHEN room >= :room_needed AND NOT (EXISTS (SELECT FROM notify.pause p WHERE (p.ends_at IS NULL OR p.ends_at > now()))
            OR EXISTS (SELECT FROM notify.ent_enterprise_limit l WHERE l.burst IS NOT NULL)) THEN least(:limit, CAST(:max_in_flight AS bigint) - number, room)
        ELSE 0 END AS int) AS allowed
    FROM (
        SELECT coalesce(sum(number), 0) AS number, CAST(:most_queued AS bigint) - coalesce(sum(queued), 0) AS room
        FROM in_flight
    ) AS total
),
gaps AS (
    -- The gaps between the remembered enterprises; a newcomer lies in one of them.
    SELECT name AS low, lead(name) OVER (ORDER BY name USING ~<~) AS high
    FROM (SELECT '' AS name UNION ALL SELECT unnest(CAST(:known AS text[]))) AS known
),
enterprises AS (
    -- The remembered enterprises and the first newcomer of each gap, in the order of the round. The index leads
    -- from the last entry of an enterprise straight to the first of the next.
    SELECT CAST(NULL AS text) AS login, found.enterprise_id FROM (
        SELECT unnest(CAST(:known AS text[])) AS enterprise_id
        UNION ALL
        SELECT CASE WHEN gaps.high IS NULL THEN
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.enterprise_id ~>~ gaps.low ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
        ELSE
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.enterprise_id ~>~ gaps.low AND n.enterprise_id ~<~ gaps.high
             ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
        END FROM gaps
    ) AS found
    ORDER BY found.enterprise_id ~<=~ :after, found.enterprise_id USING ~<~
),
places AS MATERIALIZED (
    -- The enterprises with due rows, once for each login: their position in the round, their index in the memory, and
    -- their highest priority that is due.
    SELECT login, enterprise_id, known_index, top_priority, row_number() OVER () AS position
    FROM (
        SELECT candidate.login, candidate.enterprise_id, candidate.known_index, (
            SELECT level.priority FROM generate_series(9, 0, -1) AS level (priority)
            WHERE (SELECT true FROM notify.ent_notification n
                WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated
            AND n.enterprise_id = candidate.enterprise_id AND n.priority = level.priority AND n.priority BETWEEN level.priority AND level.priority
            AND true AND n.id > coalesce((CAST(:marks AS bigint[]))[((candidate.known_index - 1) * 11 + 1 + level.priority)], 0) LIMIT 1)
            LIMIT 1) AS top_priority
        FROM (
            SELECT enterprises.login, enterprises.enterprise_id,
                array_position(CAST(:known AS text[]), enterprises.enterprise_id) AS known_index
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL AND (SELECT allowed FROM budget) > 0
        ) AS candidate
        OFFSET 0 -- or the planner evaluates the subquery at each use, not once for each enterprise
    ) AS due
    WHERE top_priority IS NOT NULL
    -- At least two: a claim of one row must also know whether another enterprise waits.
    LIMIT greatest(100, 2)
),
due_enterprises AS MATERIALIZED (
    -- Each enterprise once, at its first place.
    SELECT DISTINCT ON (enterprise_id) * FROM places ORDER BY enterprise_id USING ~<~, position
),
own_limits AS MATERIALIZED (
    -- How many rows the enterprises with a limit of their own may get now, and the tokens they have saved up.
    SELECT seen.enterprise_id, seen.burst, seen.released_to, locked.counted_at, locked.tokens, CASE
        -- Another claim has locked the limit, or changed it after our snapshot, so its rows are invisible to us:
        -- skip the enterprise for now.
        WHEN locked.updated_at IS DISTINCT FROM seen.updated_at THEN 0
        -- Wait for a tenth of a second's worth, or every claim would take a single row.
        WHEN locked.tokens < greatest(1, seen.rate / 10) THEN 0
        ELSE least(floor(locked.tokens), seen.burst, CASE WHEN seen.in_flight IS NOT NULL THEN
            greatest(0, seen.in_flight - (
                SELECT count(*) FROM notify.ent_notification n
                WHERE n.notification_status = 'PROCESSING' AND n.enterprise_id = seen.enterprise_id))
            END)
        END AS allowed
    FROM due_enterprises
    CROSS JOIN LATERAL (
        -- The limit as our snapshot has it.
        SELECT * FROM notify.ent_enterprise_limit l
        WHERE l.enterprise_id = due_enterprises.enterprise_id AND num_nonnulls(l.rate, l.in_flight, l.burst) > 0
    ) AS seen
    LEFT JOIN LATERAL (
        -- The limit as it is now, locked; its tokens, filled up to a quarter of a second's worth and one more.
        SELECT latest.updated_at, latest.read_at AS counted_at,
            least(1 + latest.rate / 4,
                coalesce(CASE WHEN latest.counted_at <= latest.read_at THEN latest.tokens END, 'infinity')
                + latest.rate * coalesce(extract(epoch FROM latest.read_at - latest.counted_at), 0)) AS tokens
        FROM (
            SELECT l.updated_at, l.rate, l.tokens, l.counted_at, clock_timestamp() AS read_at
            FROM notify.ent_enterprise_limit l
            WHERE l.enterprise_id = due_enterprises.enterprise_id AND num_nonnulls(l.rate, l.in_flight, l.burst) > 0
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS latest
    ) AS locked ON true
),
even_shares AS (
    -- An even share for each enterprise, at most what its own limit allows and, if it has rivals, half of the
    -- deployment and half of the queue.
    SELECT due_enterprises.*, budget.allowed, least(
        own_limits.allowed,
        ceil(1.0 * budget.allowed / greatest(rivals.servable, 1)),
        CASE WHEN rivals.number > 1 THEN greatest(0, least(
            greatest(CAST(:max_in_flight AS bigint) / 2, 1) - coalesce(in_flight.number, 0),
            CAST(:most_queued AS bigint) / 2 - coalesce(in_flight.queued, 0)))
        ELSE budget.allowed END) AS share
    FROM due_enterprises CROSS JOIN budget CROSS JOIN (
        SELECT count(*) AS number,
            count(*) - (SELECT count(*) FROM own_limits WHERE own_limits.allowed = 0) AS servable
        FROM due_enterprises
    ) AS rivals
    LEFT JOIN in_flight USING (enterprise_id)
    LEFT JOIN own_limits USING (enterprise_id)
),
granted_shares AS (
    -- The shares in the order of the round, until the budget is spent.
    SELECT login, enterprise_id, known_index, top_priority, position, CAST(greatest(least(share,
        allowed - coalesce(sum(share) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW), 0)
    ), 0) AS int) AS share
    FROM even_shares
),
shares AS MATERIALIZED (
    -- Each share in two: one row in ten is the oldest, at another turn for each claim; the rest are the most urgent.
    SELECT login, enterprise_id, known_index, top_priority, position,
        share - (share + :turn) / 10 AS urgent, (share + :turn) / 10 AS oldest
    FROM granted_shares WHERE share > 0
),
picked AS MATERIALIZED (
    -- The rows to take, locked: the oldest of each enterprise, then its most urgent.
    SELECT found.id, found.index_order, shares.position, shares.login, shares.enterprise_id
    FROM shares, LATERAL (
        -- A literal LIMIT around each LIMIT that is a column: the planner expects a tenth of the table from the latter.
        SELECT ARRAY(SELECT by_age.id FROM (
            SELECT n.id FROM notify.ent_notification n
            WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated
            AND n.enterprise_id = shares.enterprise_id AND n.priority >= 0 AND n.enterprise_id ~>=~ shares.enterprise_id AND n.enterprise_id ~<=~ shares.enterprise_id
            AND true AND n.id > coalesce((CAST(:marks AS bigint[]))[((shares.known_index - 1) * 11 + 1 + 10)], 0)
            ORDER BY n.id
            LIMIT shares.oldest
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS by_age LIMIT 100) AS ids
        OFFSET 0 -- or the planner evaluates the subquery at each use, not once for each share
    ) AS oldest, LATERAL (
        SELECT unnest(oldest.ids) AS id, 10 AS index_order
        UNION ALL
        SELECT urgent.id, urgent.index_order FROM (
            SELECT of_level.id, level.priority AS index_order
            FROM generate_series(shares.top_priority, 0, -1) AS level (priority), LATERAL (
                SELECT by_priority.id FROM (
                    SELECT n.id FROM notify.ent_notification n
                    WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated
            AND n.enterprise_id = shares.enterprise_id AND n.priority = level.priority AND n.priority BETWEEN level.priority AND level.priority
            AND true AND n.id > coalesce((CAST(:marks AS bigint[]))[((shares.known_index - 1) * 11 + 1 + level.priority)], 0)
                        AND n.id <> ALL (oldest.ids)
                    ORDER BY n.id
                    LIMIT shares.urgent
                    FOR NO KEY UPDATE SKIP LOCKED
                ) AS by_priority LIMIT 100
            ) AS of_level
            LIMIT shares.urgent
        ) AS urgent
    ) AS found
    LIMIT 100
),
charged AS (
    -- Take the tokens for the picked rows from the enterprises' own limits.
    UPDATE notify.ent_enterprise_limit AS l SET
        tokens = own_limits.tokens - counted.number, counted_at = own_limits.counted_at
    FROM own_limits JOIN (
        SELECT enterprise_id, count(*) AS number FROM picked GROUP BY enterprise_id
    ) AS counted USING (enterprise_id)
    WHERE l.enterprise_id = own_limits.enterprise_id
),
numbered AS MATERIALIZED (
    -- The picked rows, numbered so that neighbours share a run if there are enough of them, or as many as were allowed.
    SELECT id, index_order, position, login, row_number() OVER (ORDER BY position, id) - 1 AS number,
        :group_size > 1 AND count(*) OVER () >= least(:grouped_from, greatest(budget.allowed, 2)) AS grouped
    FROM picked CROSS JOIN budget
)
UPDATE notify.ent_notification AS n SET
    notification_status = 'PROCESSING',
    attempt = n.attempt + 1,
    claimed_at = clock_timestamp(),
    updated_at = clock_timestamp(),
    lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
    -- A row that has lapsed gets a run of its own, because it may kill its sender again.
    temporal_workflow_id = CASE WHEN numbered.grouped AND n.lapses = 0
        THEN (CAST(:groups AS text[]))[1 + numbered.number / :group_size]
        ELSE concat(CAST(:prefix AS text), '-notification-', n.id, '-', n.attempt + 1) END
FROM numbered
WHERE n.id = numbered.id
RETURNING n.id, n.attempt, n.enterprise_id, n.temporal_workflow_id, n.priority, n.transaction_id, numbered.position,
    numbered.login, numbered.index_order, CAST(NULL AS timestamptz) AS due_at,
    (SELECT w.workflow_key FROM notify.ent_notification_workflow w
     WHERE w.id = n.notification_workflow_id) AS workflow_key,
    n.claimed_at,
    -- What was in flight before this claim, for the memory and the queue; in the first row only.
    CASE WHEN numbered.number = 0 AND CAST(:counting AS bool) THEN
        (SELECT coalesce(jsonb_object_agg(enterprise_id, number), '{}') FROM in_flight) END AS in_flight,
    CASE WHEN numbered.number = 0 AND CAST(:counting AS bool) THEN
        (SELECT jsonb_build_array(coalesce(sum(queued), 0), coalesce(sum(measured), 0)) FROM in_flight) END AS queued,
    CAST(NULL AS text[]) AS braked,
    false AS switched
