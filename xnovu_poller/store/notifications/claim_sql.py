"""The statement by which a loop claims due notifications.

A claim is fair, bounded and a single statement. It goes round the enterprises that have due rows, starting after the
enterprise that was served last, and gives each the same share. Within an enterprise it takes the highest priority
first, but one row in ten is the oldest. At most `max_in_flight` notifications are PROCESSING in the deployment, and no
enterprise has more than half of that while another has due rows. (While a loop trusts its memory, it does not see the
claims of others, so the bound may be exceeded by those.) An enterprise with a limit of its own never exceeds it,
whichever worker claims.

The outer LIMIT is a literal, or the generic plan scans the table.
Source: docs/adr/0002-claims-are-sql-text.md, docs/adr/0009-flat-claims.md.
"""

from enum import Enum
from functools import cache

from sqlalchemy import TextClause, text

from xnovu_poller.store.notifications.due import BY_AGE, ORDERS, Due


class EnterpriseScope(Enum):
    """How a claim finds the enterprises that it may serve."""

    ALL = "all"
    """Every enterprise with rows: the index leads from each to the next."""

    NAMED = "named"
    """The enterprises that the settings name."""

    KNOWN = "known"
    """The enterprises that the loop remembers, and the first newcomer between any two of them."""


# A loose index scan: go from each enterprise straight to the next, however many rows lie between.
_ALL = """ahead (enterprise_id) AS (
    -- The enterprises with rows, after the enterprise served last.
    (SELECT n.enterprise_id FROM notify.ent_notification n
     WHERE {owned} AND n.enterprise_id > :after ORDER BY n.enterprise_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE {owned} AND n.enterprise_id > ahead.enterprise_id ORDER BY n.enterprise_id LIMIT 1)
    FROM ahead WHERE ahead.enterprise_id IS NOT NULL
),
behind (enterprise_id) AS (
    -- The others with rows, from the first to the enterprise served last.
    (SELECT n.enterprise_id FROM notify.ent_notification n
     WHERE {owned} AND n.enterprise_id <= :after ORDER BY n.enterprise_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE {owned} AND n.enterprise_id > behind.enterprise_id AND n.enterprise_id <= :after
            ORDER BY n.enterprise_id LIMIT 1)
    FROM behind WHERE behind.enterprise_id IS NOT NULL
),
enterprises AS (
    -- All enterprises with rows, in the order of the round.
    SELECT enterprise_id FROM ahead UNION ALL SELECT enterprise_id FROM behind
)"""

_NAMED = """enterprises AS (
    -- The enterprises of the settings, in the order of the round.
    SELECT named.enterprise_id FROM unnest(CAST(:enterprises AS text[])) AS named (enterprise_id)
    ORDER BY named.enterprise_id <= :after, named.enterprise_id
)"""

_KNOWN = """gaps AS (
    -- The gaps between the remembered enterprises; a newcomer lies in one of them.
    SELECT name AS low, lead(name) OVER (ORDER BY name) AS high
    FROM (SELECT '' AS name UNION ALL SELECT unnest(CAST(:known AS text[]))) AS known
),
enterprises AS (
    -- The remembered enterprises and the first newcomer of each gap, in the order of the round. The index leads
    -- from the last entry of an enterprise straight to the first of the next.
    SELECT found.enterprise_id FROM (
        SELECT unnest(CAST(:known AS text[])) AS enterprise_id
        UNION ALL
        SELECT CASE WHEN gaps.high IS NULL THEN
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE {owned} AND n.enterprise_id > gaps.low ORDER BY n.enterprise_id LIMIT 1)
        ELSE
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE {owned} AND n.enterprise_id > gaps.low AND n.enterprise_id < gaps.high
             ORDER BY n.enterprise_id LIMIT 1)
        END FROM gaps
    ) AS found
    ORDER BY found.enterprise_id <= :after, found.enterprise_id
)"""

_ENTERPRISES = {EnterpriseScope.ALL: _ALL, EnterpriseScope.NAMED: _NAMED, EnterpriseScope.KNOWN: _KNOWN}

_CLAIM = """WITH RECURSIVE
in_flight AS MATERIALIZED (
    -- How many notifications each enterprise has in flight: counted now, or as remembered.
    SELECT n.enterprise_id, count(*) AS number FROM notify.ent_notification n
    WHERE n.notification_status = 'PROCESSING' AND CAST(:counting AS bool)
    GROUP BY n.enterprise_id
    UNION ALL
    SELECT * FROM unnest(CAST(:holders AS text[]), CAST(:held AS bigint[])) AS remembered (enterprise_id, number)
),
budget AS MATERIALIZED (
    -- How many rows this claim may take.
    SELECT CAST(least(:limit, CAST(:max_in_flight AS bigint) - coalesce(sum(number), 0)) AS int) AS allowed
    FROM in_flight
),
{enterprises},
due_enterprises AS MATERIALIZED (
    -- The enterprises with due rows: their position in the round, their index in the memory, and their highest
    -- priority that is due.
    SELECT enterprise_id, known_index, top_priority, row_number() OVER () AS position
    FROM (
        SELECT candidate.enterprise_id, candidate.known_index, (
            SELECT level.priority FROM generate_series(9, 0, -1) AS level (priority)
            WHERE (SELECT true FROM notify.ent_notification n
                WHERE {candidate_is_due} LIMIT 1)
            LIMIT 1) AS top_priority
        FROM (
            SELECT enterprises.enterprise_id,
                array_position(CAST(:known AS text[]), enterprises.enterprise_id) AS known_index
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL AND (SELECT allowed FROM budget) > 0
        ) AS candidate
        OFFSET 0 -- or the planner evaluates the subquery at each use, not once for each enterprise
    ) AS due
    WHERE top_priority IS NOT NULL
    -- At least two: a claim of one row must also know whether another enterprise waits.
    LIMIT greatest({limit}, 2)
),
own_limits AS MATERIALIZED (
    -- How many rows the enterprises with a limit of their own may get now, and the tokens they have saved up.
    SELECT seen.enterprise_id, locked.counted_at, locked.tokens, CASE
        -- Another claim has locked the limit, or changed it after our snapshot, so its rows are invisible to us:
        -- skip the enterprise for now.
        WHEN locked.updated_at IS DISTINCT FROM seen.updated_at THEN 0
        -- Wait for a tenth of a second's worth, or every claim would take a single row.
        WHEN locked.tokens < greatest(1, seen.rate / 10) THEN 0
        ELSE least(floor(locked.tokens), CASE WHEN seen.in_flight IS NOT NULL THEN
            greatest(0, seen.in_flight - (
                SELECT count(*) FROM notify.ent_notification n
                WHERE n.notification_status = 'PROCESSING' AND n.enterprise_id = seen.enterprise_id))
            END)
        END AS allowed
    FROM due_enterprises
    CROSS JOIN LATERAL (
        -- The limit as our snapshot has it.
        SELECT * FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = due_enterprises.enterprise_id
    ) AS seen
    LEFT JOIN LATERAL (
        -- The limit as it is now, locked; its tokens, filled up to a quarter of a second's worth and one more.
        SELECT latest.updated_at, latest.read_at AS counted_at,
            least(1 + latest.rate / 4,
                coalesce(CASE WHEN latest.counted_at <= latest.read_at THEN latest.tokens END, 'infinity')
                + latest.rate * coalesce(extract(epoch FROM latest.read_at - latest.counted_at), 0)) AS tokens
        FROM (
            SELECT l.updated_at, l.rate, l.tokens, l.counted_at, clock_timestamp() AS read_at
            FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = due_enterprises.enterprise_id
            FOR UPDATE SKIP LOCKED
        ) AS latest
    ) AS locked ON true
),
even_shares AS (
    -- An even share for each enterprise, at most what its own limit allows and, if it has rivals, half of the
    -- deployment.
    SELECT due_enterprises.enterprise_id, due_enterprises.known_index, due_enterprises.top_priority,
        due_enterprises.position, budget.allowed, least(
        own_limits.allowed,
        ceil(1.0 * budget.allowed / greatest(rivals.servable, 1)),
        CASE WHEN rivals.number > 1 THEN
            greatest(greatest(CAST(:max_in_flight AS bigint) / 2, 1) - coalesce(in_flight.number, 0), 0)
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
    SELECT enterprise_id, known_index, top_priority, position, CAST(greatest(least(share,
        allowed - coalesce(sum(share) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW), 0)
    ), 0) AS int) AS share
    FROM even_shares
),
shares AS MATERIALIZED (
    -- Each share in two: one row in ten is the oldest, at another turn for each claim; the rest are the most urgent.
    SELECT enterprise_id, known_index, top_priority, position,
        share - (share + :turn) / 10 AS urgent, (share + :turn) / 10 AS oldest
    FROM granted_shares WHERE share > 0
),
picked AS MATERIALIZED (
    -- The rows to take, locked: the oldest of each enterprise, then its most urgent.
    SELECT found.id, found.index_order, shares.position, shares.enterprise_id
    FROM shares, LATERAL (
        -- A literal LIMIT around each LIMIT that is a column: the planner expects a tenth of the table from the latter.
        SELECT ARRAY(SELECT by_age.id FROM (
            SELECT n.id FROM notify.ent_notification n
            WHERE {is_due_by_age}
            ORDER BY {oldest_first}
            LIMIT shares.oldest
            FOR UPDATE SKIP LOCKED
        ) AS by_age LIMIT {limit}) AS ids
        OFFSET 0 -- or the planner evaluates the subquery at each use, not once for each share
    ) AS oldest, LATERAL (
        SELECT unnest(oldest.ids) AS id, {by_age} AS index_order
        UNION ALL
        SELECT urgent.id, urgent.index_order FROM (
            SELECT of_level.id, level.priority AS index_order
            FROM generate_series(shares.top_priority, 0, -1) AS level (priority), LATERAL (
                SELECT by_priority.id FROM (
                    SELECT n.id FROM notify.ent_notification n
                    WHERE {is_due_by_priority}
                        AND n.id <> ALL (oldest.ids)
                    ORDER BY {oldest_first}
                    LIMIT shares.urgent
                    FOR UPDATE SKIP LOCKED
                ) AS by_priority LIMIT {limit}
            ) AS of_level
            LIMIT shares.urgent
        ) AS urgent
    ) AS found
    LIMIT {limit}
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
    -- The picked rows, numbered so that neighbours share a run.
    SELECT id, index_order, position, row_number() OVER (ORDER BY position, id) - 1 AS number FROM picked
)
UPDATE notify.ent_notification AS n SET
    notification_status = 'PROCESSING',
    attempt = n.attempt + 1,
    lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
    -- A row that has lapsed gets a run of its own, because it may kill its sender again.
    temporal_workflow_id = CASE WHEN :group_size = 1 OR n.lapses > 0
        THEN concat(CAST(:prefix AS text), '-notification-', n.id, '-', n.attempt + 1)
        ELSE (CAST(:groups AS text[]))[1 + numbered.number / :group_size] END
FROM numbered
WHERE n.id = numbered.id
RETURNING n.id, n.attempt, n.enterprise_id, n.temporal_workflow_id, n.priority, numbered.position,
    numbered.index_order, {due_at} AS due_at,
    (SELECT w.workflow_key FROM notify.ent_notification_workflow w
     WHERE w.id = n.notification_workflow_id) AS workflow_key,
    -- What was in flight before this claim, for the memory; in the first row only.
    CASE WHEN numbered.number = 0 AND CAST(:counting AS bool) THEN
        (SELECT coalesce(jsonb_object_agg(enterprise_id, number), '{}') FROM in_flight) END AS in_flight"""


@cache
def claim_sql(due: Due, limit: int, scope: EnterpriseScope) -> TextClause:
    """Return the statement by which a loop claims, and which returns the claims.

    Its parameters: `after` (the enterprise that was served last), `limit` (the most rows now), `max_in_flight`, `turn`
    (0 to 9, another at each claim: it spreads out the claims that take the oldest rows), `lease` (seconds), `prefix`,
    `group_size`, `groups` (enough run ids), and `enterprises` if the scope is NAMED.

    The parameters of the memory: `counting` (rows in flight are counted, not remembered), `holders` and `held` (rows in
    flight, by enterprise), `known` (enterprises), `marks` and, if the rows have a time, `times` (the last row that was
    taken in each order: `ORDERS` entries for each enterprise).

    Args:
        limit: the most rows, as a literal.
    """
    return text(
        _CLAIM.replace("{enterprises}", _ENTERPRISES[scope])
        .replace("{candidate_is_due}", _is_due(due, "candidate", "level.priority"))
        .replace("{is_due_by_age}", _is_due(due, "shares", str(BY_AGE)))
        .replace("{is_due_by_priority}", _is_due(due, "shares", "level.priority"))
        .replace("{by_age}", str(BY_AGE))
        .replace("{owned}", due.owned)
        .replace("{oldest_first}", due.oldest_first)
        .replace("{due_at}", due.due_at)
        .replace("{limit}", str(int(limit)))
    )


def _is_due(due: Due, enterprise: str, order: str) -> str:
    """Return the condition that a row of an enterprise is due and comes after the mark of an order.

    Args:
        enterprise: the alias whose `enterprise_id` and `known_index` are meant.
        order: the order, as an SQL expression.
    """
    after_mark = due.after_mark.format(order=f"(({enterprise}.known_index - 1) * {ORDERS} + 1 + {order})")
    # Repeat each equality as a range: row-level security keeps the planner from the column's statistics, so it may
    # assume that all rows have the same value, and seek by primary key. Only the index by age has `priority >= 0`.
    bounds = (
        f"AND n.priority >= 0 AND n.enterprise_id BETWEEN {enterprise}.enterprise_id AND {enterprise}.enterprise_id"
        if order == str(BY_AGE)
        else f"AND n.priority = {order} AND n.priority BETWEEN {order} AND {order}"
    )
    return f"""{due.owned}
            AND n.enterprise_id = {enterprise}.enterprise_id {bounds}
            AND {due.due_now} AND {after_mark}"""
