"""Which notifications each loop owns: the three claims, side by side.

A claim is fair, bounded and one statement. It walks round the enterprises that have due rows,
beginning after the one served last; gives each the same share of the places; and within an
enterprise serves the highest priority first, but one place in ten goes to its oldest row. At most
`max_in_flight` notifications are PROCESSING in the deployment, and no enterprise holds more than
half of that while another has due rows. (Claims that run at the very same moment do not see each
other, so the bound may be passed by one claim for each other loop.)

States and the outer LIMIT are literals: with a bound state the generic plan scans the table.
Source: docs/adr/0002-claims-are-sql-text.md.
"""

from dataclasses import dataclass

_MEANT = "publish_status = 'PUBLISH' AND NOT deactivated"


@dataclass(frozen=True, slots=True)
class Due:
    """What makes a row due for one loop.

    Attributes:
        name: the loop.
        owned: the condition of the loop's partial indexes.
        ripe: the condition that its time has come; a range over `age`.
        age: the column that says which row is oldest.
        by_priority: gives the ids of one enterprise, highest priority first, as its index has them.
    """

    name: str
    owned: str
    ripe: str
    age: str
    by_priority: str


def _timed(name: str, owned: str, age: str) -> Due:
    """Make a loop whose rows have a time: each priority is its own range of the index."""
    ripe = f"{age} <= now()"
    by_priority = f"""SELECT timed.id
            FROM generate_series(9, 0, -1) AS level (priority), LATERAL (
                SELECT n.id FROM notify.ent_notification n
                WHERE {owned} AND n.{ripe}
                    AND n.enterprise_id = share.enterprise_id AND n.priority = level.priority
                    AND n.id <> ALL (elders.ids)
                ORDER BY n.{age}, n.id
                LIMIT share.urgent
                FOR UPDATE SKIP LOCKED
            ) AS timed
            LIMIT share.urgent"""  # noqa: S608 - built of this module's constants
    return Due(name, owned, ripe, age, by_priority)


_NEW = f"notification_status = 'PENDING' AND scheduled_for IS NULL AND {_MEANT}"

NEW = Due(
    name="new",
    owned=_NEW,
    ripe="id > 0",
    age="id",
    by_priority=f"""SELECT n.id FROM notify.ent_notification n
            WHERE {_NEW} AND n.enterprise_id = share.enterprise_id AND n.id <> ALL (elders.ids)
            ORDER BY n.priority DESC, n.id
            LIMIT share.urgent
            FOR UPDATE SKIP LOCKED""",  # noqa: S608 - built of this module's constants
)
"""PENDING, to be said at once."""

SCHEDULED = _timed(
    "scheduled",
    f"notification_status = 'PENDING' AND scheduled_for IS NOT NULL AND {_MEANT}",
    "scheduled_for",
)
"""PENDING, its set time has come."""

FAILED = _timed("failed", f"notification_status = 'FAILED' AND {_MEANT}", "next_attempt_at")
"""FAILED, its backoff has passed."""


def claim_sql(due: Due, limit: int, *, named: bool) -> str:
    """Write the claim of a loop.

    Binds: `after` (the enterprise served last), `max_in_flight`, `spin` (0 to 9, another at each
    claim: spreads the places of the oldest), `lease` (seconds), `prefix`, `group_size`, `groups`
    (enough workflow ids), and `enterprises` if `named`.

    Args:
        due: the loop's rows.
        limit: most rows to claim; a literal of the statement.
        named: only the bound enterprises are served.

    Returns:
        One statement that moves the rows to PROCESSING and returns the claims.
    """
    ring = _NAMED if named else _ALL
    return (
        _CLAIM.replace("{ring}", ring)
        .replace("{owned}", due.owned)
        .replace("{ripe}", due.ripe)
        .replace("{age}", due.age)
        .replace("{by_priority}", due.by_priority)
        .replace("{limit}", str(int(limit)))
    )


# A loose index scan: from one enterprise straight to the next, whatever lies between them.
_ALL = """ahead (enterprise_id) AS (
    (SELECT enterprise_id FROM notify.ent_notification
     WHERE {owned} AND enterprise_id > :after ORDER BY enterprise_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE {owned} AND n.enterprise_id > ahead.enterprise_id ORDER BY n.enterprise_id LIMIT 1)
    FROM ahead WHERE ahead.enterprise_id IS NOT NULL
),
behind (enterprise_id) AS (
    (SELECT enterprise_id FROM notify.ent_notification
     WHERE {owned} AND enterprise_id <= :after ORDER BY enterprise_id LIMIT 1)
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

_CLAIM = """WITH RECURSIVE
in_flight AS MATERIALIZED (
    SELECT enterprise_id, count(*) AS held FROM notify.ent_notification
    WHERE notification_status = 'PROCESSING' GROUP BY enterprise_id
),
budget AS MATERIALIZED (
    SELECT least({limit}, CAST(:max_in_flight AS bigint) - coalesce(sum(held), 0)) AS places FROM in_flight
),
{ring},
served AS MATERIALIZED (
    SELECT enterprise_id, row_number() OVER () AS place
    FROM (
        SELECT ring.enterprise_id FROM ring
        WHERE ring.enterprise_id IS NOT NULL AND (SELECT places FROM budget) > 0 AND EXISTS (
            SELECT FROM notify.ent_notification n
            WHERE {owned} AND n.{ripe} AND n.enterprise_id = ring.enterprise_id)
        -- Also a claim of one row has to know whether there is a rival.
        LIMIT greatest({limit}, 2)
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
            WHERE {owned} AND n.{ripe} AND n.enterprise_id = share.enterprise_id
            ORDER BY n.{age}, n.id
            LIMIT share.oldest
            FOR UPDATE SKIP LOCKED
        ) AS ids
        OFFSET 0 -- once a share, not once a use
    ) AS elders, LATERAL (
        SELECT unnest(elders.ids) AS id
        UNION ALL
        SELECT urgent.id FROM (
            {by_priority}
        ) AS urgent
    ) AS one
    LIMIT {limit}
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
     WHERE w.id = n.notification_workflow_id) AS workflow_key"""
