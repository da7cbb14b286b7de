"""Measure the backlog: how many rows are due, for how long, and when the next row comes due."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due

COUNTED_AT_MOST = 10_000
"""Counts stop here, so that /status stays cheap with any backlog."""

_BACKLOG = text(f"""
    SELECT
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n WHERE n.notification_status = 'PROCESSING'
            LIMIT {COUNTED_AT_MOST}) AS found) AS in_flight,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n WHERE {NEW.owned} AND {NEW.due_now}
            LIMIT {COUNTED_AT_MOST}) AS found) AS {NEW.name},
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n WHERE {SCHEDULED.owned} AND {SCHEDULED.due_now}
            LIMIT {COUNTED_AT_MOST}) AS found) AS {SCHEDULED.name},
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n WHERE {FAILED.owned} AND {FAILED.due_now}
            LIMIT {COUNTED_AT_MOST}) AS found) AS {FAILED.name}""")  # noqa: S608 - built of the loops' conditions


async def count_backlog(engine: Engine) -> dict[str, int]:
    """Count the rows in flight, and the due rows of each loop, each at most `COUNTED_AT_MOST`.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        return dict((await connection.execute(_BACKLOG)).mappings().one())


# Subtract seconds, not timestamps: PostgreSQL before 17 has no infinite interval.
_NEXT_DUE = text(f"""
    SELECT greatest(0, extract(epoch FROM n.scheduled_for) - extract(epoch FROM clock_timestamp()))
    FROM notify.ent_notification n
    WHERE {SCHEDULED.owned} AND n.priority <= 9 AND n.scheduled_for > now() AND n.scheduled_for < 'infinity'
    ORDER BY n.scheduled_for LIMIT 1""")  # noqa: S608 - built of the loop's condition


async def time_to_next_due(engine: Engine) -> timedelta | None:
    """Return how long it is until the next scheduled notification comes due; None if there is none.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        ahead = await connection.scalar(_NEXT_DUE)
    return None if ahead is None else timedelta(seconds=float(ahead))


_HELD_BACK = {
    due.name: text(f"""
    SELECT (SELECT count(*) FROM notify.ent_notification n WHERE n.notification_status = 'PROCESSING') >= :max_in_flight
        OR EXISTS (
            SELECT FROM notify.ent_enterprise_limit l
            WHERE (CAST(:enterprises AS text[]) IS NULL OR l.enterprise_id = ANY (CAST(:enterprises AS text[])))
                -- The enterprise's oldest due row, found by the index by age.
                AND (SELECT true FROM notify.ent_notification n
                    WHERE {due.owned} AND {due.due_now} AND n.enterprise_id = l.enterprise_id
                    ORDER BY {due.oldest_first} LIMIT 1))""")  # noqa: S608 - built of the loops' conditions
    for due in (NEW, SCHEDULED, FAILED)
}


async def is_held_back(
    engine: Engine, due: Due, max_in_flight: int, enterprises: Collection[str] | None
) -> bool:
    """Return whether due rows may be waiting because the deployment is full or an enterprise is at its limit.

    Args:
        enterprises: the tenants to serve; None for all.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {"max_in_flight": max_in_flight, "enterprises": enterprises and list(enterprises)}
    async with acquire(engine) as connection:
        return bool(await connection.scalar(_HELD_BACK[due.name], values))


def _seconds_due(due: Due, since: str) -> str:
    """Return the subquery that computes for how many seconds the oldest row of a loop has been due.

    It is a loose index scan, as in the claims: it jumps from each enterprise to the next.
    """
    return f"""(
        WITH RECURSIVE enterprises (enterprise_id, number) AS (
            -- The first enterprises with rows of this loop.
            (SELECT n.enterprise_id, 1 FROM notify.ent_notification n
             WHERE {due.owned} AND n.priority >= 0 ORDER BY n.enterprise_id LIMIT 1)
            UNION ALL
            SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                    WHERE {due.owned} AND n.priority >= 0 AND n.enterprise_id > enterprises.enterprise_id
                    ORDER BY n.enterprise_id LIMIT 1), enterprises.number + 1
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL AND enterprises.number < {COUNTED_AT_MOST}
        )
        SELECT CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM min(oldest.due_since)) AS float8)
        FROM enterprises, LATERAL (
            SELECT greatest({since}, timestamptz '1970-01-01Z') AS due_since FROM notify.ent_notification n
            WHERE {due.owned} AND n.priority >= 0 AND {due.due_now} AND n.enterprise_id = enterprises.enterprise_id
            ORDER BY {due.oldest_first} LIMIT 1
        ) AS oldest
        WHERE CAST(:limited AS bool) OR NOT EXISTS (
            SELECT FROM notify.ent_enterprise_limit l WHERE l.enterprise_id = enterprises.enterprise_id)
    ) AS {due.name}"""  # noqa: S608 - built of the loops' conditions


_OLDEST_DUE = text(f"""
    SELECT {_seconds_due(NEW, "n.created_at")},
    {_seconds_due(SCHEDULED, "greatest(n.created_at, n.scheduled_for)")},
    {_seconds_due(FAILED, "n.next_attempt_at")}""")


async def oldest_due(engine: Engine, *, limited: bool = True) -> dict[str, timedelta | None]:
    """Return for how long the oldest row of each loop has been due; None if no row is due.

    It looks at the oldest row of each of the first `COUNTED_AT_MOST` enterprises.

    Args:
        limited: include enterprises that have a limit of their own, because of which their rows may wait.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        row = (await connection.execute(_OLDEST_DUE, {"limited": limited})).mappings().one()
    return {loop: None if seconds is None else timedelta(seconds=seconds) for loop, seconds in row.items()}
