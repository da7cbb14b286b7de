"""Which notifications each loop owns: the three claims, side by side.

A claim is fair, bounded and one statement. It walks round the enterprises that have due rows,
beginning after the one served last; gives each the same share of the places; and within an
enterprise serves the highest priority first, but one place in ten goes to its oldest row. At most
`max_in_flight` notifications are PROCESSING in the deployment, and no enterprise holds more than
half of that while another has due rows. (What others claim within the moment for which a loop
remembers is not seen, so the bound may be passed by that much.) An enterprise with a limit of its
own gets no more than that, whoever claims.

States and the outer LIMIT are literals: with a bound state the generic plan scans the table.
Source: docs/adr/0002-claims-are-sql-text.md, docs/adr/0009-flat-claims.md.
"""

from dataclasses import dataclass
from enum import Enum
from functools import cache

from sqlalchemy import TextClause, text

_MEANT = "n.publish_status = 'PUBLISH' AND NOT n.deactivated"

ORDERS = 11
"""An enterprise's rows are read in so many orders: one for each priority, and one by age."""

BY_AGE = 10
"""The lane by age; the others are the priorities."""


@dataclass(frozen=True, slots=True)
class Due:
    """What makes a row due for one loop.

    Attributes:
        name: the loop.
        owned: the condition of the loop's partial indexes.
        ripe: the condition that its time has come; a range over `age`.
        time: when a row came due; null where the ids alone tell.
        age: the columns that say which row is oldest; a lane's index ends with them.
        beyond: the condition that a row lies beyond what is remembered of its lane.
    """

    name: str
    owned: str
    ripe: str
    time: str
    age: str
    beyond: str


def _timed(name: str, owned: str, age: str) -> Due:
    """Make a loop whose rows have a time."""
    beyond = (
        f"({age}, n.id) > (coalesce((CAST(:times AS timestamptz[]))[{{lane}}], '-infinity'),"
        " coalesce((CAST(:marks AS bigint[]))[{lane}], 0))"
    )
    # A time that Python cannot hold would fail the whole claim; a mark that lies late is only a hint.
    time = f"greatest({age}, timestamptz '1970-01-01Z')"
    return Due(name, owned, f"{age} <= now()", time, f"{age}, n.id", beyond)


NEW = Due(
    name="new",
    owned=f"n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND {_MEANT}",
    ripe="true",
    time="CAST(NULL AS timestamptz)",
    age="n.id",
    beyond="n.id > coalesce((CAST(:marks AS bigint[]))[{lane}], 0)",
)
"""PENDING, to be said at once."""

SCHEDULED = _timed(
    "scheduled",
    f"n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND {_MEANT}",
    "n.scheduled_for",
)
"""PENDING, its set time has come."""

FAILED = _timed("failed", f"n.notification_status = 'FAILED' AND {_MEANT}", "n.next_attempt_at")
"""FAILED, its backoff has passed."""


class EnterpriseScope(Enum):
    """How a claim finds the enterprises that it walks round."""

    ALL = "all"
    """Whoever has rows, from one straight to the next."""

    NAMED = "named"
    """Those that the settings name."""

    KNOWN = "known"
    """Those that are remembered, and the next newcomer between each two of them."""


@cache
def claim_sql(due: Due, limit: int, ring: EnterpriseScope) -> TextClause:
    """Write the claim of a loop.

    Binds: `after` (the enterprise served last), `places` (most rows now), `max_in_flight`, `spin` (0 to
    9, another at each claim: spreads the places of the oldest), `lease` (seconds), `prefix`,
    `group_size`, `groups` (enough workflow ids), and `enterprises` unless the ring is ALL. What is
    remembered: `counting` (nothing is; then the arrays are empty), `holders` and `held` (how much is in
    flight), `known` (enterprises), `marks` and, if the rows have a time, `times` (the last row taken of
    each lane, `ORDERS` an enterprise).

    Args:
        due: the loop's rows.
        limit: most rows to claim; a literal of the statement.
        ring: whom it serves.

    Returns:
        One statement that moves the rows to PROCESSING and returns the claims.
    """
    return text(
        _CLAIM.replace("{ring}", _RINGS[ring])
        .replace("{waits}", _in_lane(due, "asked", "level.priority"))
        .replace("{eldest}", _in_lane(due, "share", str(BY_AGE)))
        .replace("{urgent}", _in_lane(due, "share", "level.priority"))
        .replace("{elders}", str(BY_AGE))
        .replace("{owned}", due.owned)
        .replace("{age}", due.age)
        .replace("{time}", due.time)
        .replace("{limit}", str(int(limit)))
    )


def _in_lane(due: Due, of: str, lane: str) -> str:
    """Write the condition that a row is due, of an enterprise, and beyond what is remembered of a lane."""
    beyond = due.beyond.format(lane=f"(({of}.number - 1) * {ORDERS} + 1 + {lane})")
    # An equality is said twice for the planner's sake. Row-level security keeps it from the statistics: it may
    # take one value for the whole table, and seek by primary key. Only the index by age says `priority >= 0`.
    end = (
        f"AND n.priority >= 0 AND n.enterprise_id BETWEEN {of}.enterprise_id AND {of}.enterprise_id"
        if lane == str(BY_AGE)
        else f"AND n.priority = {lane} AND n.priority BETWEEN {lane} AND {lane}"
    )
    return f"{due.owned}\n            AND n.enterprise_id = {of}.enterprise_id {end}\n            AND {due.ripe} AND {beyond}"


# A loose index scan: from one enterprise straight to the next, whatever lies between them.
_ALL = """ahead (enterprise_id) AS (
    (SELECT n.enterprise_id FROM notify.ent_notification n
     WHERE {owned} AND n.enterprise_id > :after ORDER BY n.enterprise_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE {owned} AND n.enterprise_id > ahead.enterprise_id ORDER BY n.enterprise_id LIMIT 1)
    FROM ahead WHERE ahead.enterprise_id IS NOT NULL
),
behind (enterprise_id) AS (
    (SELECT n.enterprise_id FROM notify.ent_notification n
     WHERE {owned} AND n.enterprise_id <= :after ORDER BY n.enterprise_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE {owned} AND n.enterprise_id > behind.enterprise_id AND n.enterprise_id <= :after
            ORDER BY n.enterprise_id LIMIT 1)
    FROM behind WHERE behind.enterprise_id IS NOT NULL
),
ring AS (
    SELECT enterprise_id FROM ahead UNION ALL SELECT enterprise_id FROM behind
)"""

_NAMED = """ring AS (
    SELECT named.enterprise_id FROM unnest(CAST(:enterprises AS text[])) AS named (enterprise_id)
    ORDER BY named.enterprise_id <= :after, named.enterprise_id
)"""

# Between two that are known the index goes straight from the last entry of one to the first of the other.
_KNOWN = """gap AS (
    SELECT name AS low, lead(name) OVER (ORDER BY name) AS high
    FROM (SELECT '' AS name UNION ALL SELECT unnest(CAST(:known AS text[]))) AS known
),
ring AS (
    SELECT found.enterprise_id FROM (
        SELECT unnest(CAST(:known AS text[])) AS enterprise_id
        UNION ALL
        SELECT CASE WHEN gap.high IS NULL THEN
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE {owned} AND n.enterprise_id > gap.low ORDER BY n.enterprise_id LIMIT 1)
        ELSE
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE {owned} AND n.enterprise_id > gap.low AND n.enterprise_id < gap.high
             ORDER BY n.enterprise_id LIMIT 1)
        END FROM gap
    ) AS found
    ORDER BY found.enterprise_id <= :after, found.enterprise_id
)"""

_RINGS = {EnterpriseScope.ALL: _ALL, EnterpriseScope.NAMED: _NAMED, EnterpriseScope.KNOWN: _KNOWN}

_CLAIM = """WITH RECURSIVE
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
{ring},
served AS MATERIALIZED (
    SELECT enterprise_id, number, top, row_number() OVER () AS place
    FROM (
        SELECT asked.enterprise_id, asked.number, (
            SELECT level.priority FROM generate_series(9, 0, -1) AS level (priority)
            WHERE (SELECT true FROM notify.ent_notification n
                WHERE {waits} LIMIT 1)
            LIMIT 1) AS top
        FROM (
            SELECT ring.enterprise_id, array_position(CAST(:known AS text[]), ring.enterprise_id) AS number
            FROM ring WHERE ring.enterprise_id IS NOT NULL AND (SELECT places FROM budget) > 0
        ) AS asked
        OFFSET 0 -- once an enterprise, not once a use
    ) AS due
    WHERE top IS NOT NULL
    -- Also a claim of one row has to know whether there is a rival.
    LIMIT greatest({limit}, 2)
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
            WHERE {eldest}
            ORDER BY {age}
            LIMIT share.oldest
            FOR UPDATE SKIP LOCKED
        ) AS eldest LIMIT {limit}) AS ids
        OFFSET 0 -- once a share, not once a use
    ) AS elders, LATERAL (
        SELECT unnest(elders.ids) AS id, {elders} AS lane
        UNION ALL
        SELECT urgent.id, urgent.lane FROM (
            SELECT levelled.id, level.priority AS lane
            FROM generate_series(share.top, 0, -1) AS level (priority), LATERAL (
                SELECT first.id FROM (
                    SELECT n.id FROM notify.ent_notification n
                    WHERE {urgent}
                        AND n.id <> ALL (elders.ids)
                    ORDER BY {age}
                    LIMIT share.urgent
                    FOR UPDATE SKIP LOCKED
                ) AS first LIMIT {limit}
            ) AS levelled
            LIMIT share.urgent
        ) AS urgent
    ) AS one
    LIMIT {limit}
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
RETURNING n.id, n.attempt, n.enterprise_id, n.temporal_workflow_id, n.priority, numbered.place, numbered.lane, {time} AS time,
    (SELECT w.workflow_key FROM notify.ent_notification_workflow w
     WHERE w.id = n.notification_workflow_id) AS workflow_key,
    CASE WHEN numbered.number = 0 AND CAST(:counting AS bool) THEN
        (SELECT coalesce(jsonb_object_agg(enterprise_id, held), '{}') FROM in_flight) END AS held"""
