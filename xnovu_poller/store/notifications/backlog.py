"""Measure the backlog: how many rows are due, for how long, and when the next row comes due."""

import time
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import text

from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.due import FAILED, LIMITS_CLAIMS, NEW, SCHEDULED, Due
from xnovu_poller.store.notifications.queue import MEASURED, QUEUED, Queue
from xnovu_poller.store.pauses import HOLDS

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


def list_enterprises(due: Due) -> str:
    """Return the CTE of the enterprises with rows of a loop.

    It is a loose index scan, as in the claims: it jumps from each enterprise to the next, as far as its reader reads.
    """
    return f"""enterprises (enterprise_id) AS (
            -- The enterprises with rows of this loop, one after the other.
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE {due.owned} AND n.priority >= 0 ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
            UNION ALL
            SELECT (SELECT n.enterprise_id FROM notify.ent_notification n
                    WHERE {due.owned} AND n.priority >= 0 AND n.enterprise_id ~>~ enterprises.enterprise_id
                    ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
            FROM enterprises WHERE enterprises.enterprise_id IS NOT NULL
        )"""  # noqa: S608 - built of the loops' conditions


_HELD_BACK = {
    due.name: text(f"""
    WITH RECURSIVE {list_enterprises(due)},
    found AS MATERIALIZED (
        -- The rows in flight, and those of them that are queued.
        SELECT count(*) AS number, count(*) FILTER (WHERE {QUEUED}) AS queued,
            count(*) FILTER (WHERE {MEASURED}) AS measured
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
                WHERE l.enterprise_id = served.enterprise_id AND {LIMITS_CLAIMS})
        )
        -- The enterprise's oldest due row, found by the bounds of the index by age.
        AND (SELECT true FROM notify.ent_notification n
            WHERE {due.owned} AND n.priority >= 0 AND {due.due_now} AND n.enterprise_id = served.enterprise_id
                AND n.enterprise_id ~>=~ served.enterprise_id AND n.enterprise_id ~<=~ served.enterprise_id
            ORDER BY {due.oldest_first} LIMIT 1)
        -- What is paused waits for a person, who wakes the loops.
        AND NOT EXISTS (SELECT FROM notify.pause p WHERE {HOLDS} AND p.workflow_key IS NULL
            AND (p.enterprise_id IS NULL OR p.enterprise_id = served.enterprise_id))
    ) AS is_held_back
    FROM found""")  # noqa: S608 - built of the loops' conditions
    for due in (NEW, SCHEDULED, FAILED)
}


async def look_at_queue(
    engine: Engine,
    due: Due,
    queue: Queue,
    *,
    max_in_flight: int,
    enterprises: Collection[str] | None,
) -> Queue | None:
    """Return the queue, newly measured, if due rows of this loop may be waiting because half of it or of the deployment is
    full, or an enterprise is at its limit; otherwise None.

    Args:
        enterprises: the tenants to serve; None for all.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {
        "max_in_flight": max_in_flight,
        "most_queued": queue.most,
        "newest": queue.newest,
        "enterprises": enterprises and list(enterprises),
    }
    async with acquire(engine) as connection:
        found = (await connection.execute(_HELD_BACK[due.name], values)).one()
    if not found.is_held_back:
        return None
    return queue.after(found.queued, found.measured, 0, found.read_at, time.monotonic())


def _seconds_due(due: Due, since: str) -> str:
    """Return the subquery that computes for how many seconds the oldest row of a loop has been due."""
    return f"""(
        WITH RECURSIVE {list_enterprises(due)}
        SELECT CAST(extract(epoch FROM clock_timestamp()) - extract(epoch FROM min(oldest.due_since)) AS float8)
        FROM (SELECT enterprise_id FROM enterprises LIMIT {COUNTED_AT_MOST}) AS enterprises, LATERAL (
            SELECT greatest({since}, timestamptz '1970-01-01Z') AS due_since, n.notification_workflow_id
            FROM notify.ent_notification n
            WHERE {due.owned} AND n.priority >= 0 AND {due.due_now} AND n.enterprise_id = enterprises.enterprise_id
            ORDER BY {due.oldest_first} LIMIT 1
        ) AS oldest
        WHERE (CAST(:all AS bool) OR NOT EXISTS (
            SELECT FROM notify.ent_enterprise_limit l
            WHERE l.enterprise_id = enterprises.enterprise_id AND {LIMITS_CLAIMS})
            AND NOT EXISTS (SELECT FROM notify.ent_notification n
                WHERE n.notification_status = 'PROCESSING' AND n.enterprise_id = enterprises.enterprise_id))
        AND NOT EXISTS (SELECT FROM notify.pause p WHERE {HOLDS}
            AND (p.enterprise_id IS NULL OR p.enterprise_id = enterprises.enterprise_id)
            AND (p.workflow_key IS NULL OR p.workflow_key = (SELECT w.workflow_key FROM notify.ent_notification_workflow w
                WHERE w.id = oldest.notification_workflow_id)))
    ) AS {due.name}"""  # noqa: S608 - built of the loops' conditions


_OLDEST_DUE = text(f"""
    SELECT {_seconds_due(NEW, "n.created_at")},
    {_seconds_due(SCHEDULED, "greatest(n.created_at, n.scheduled_for)")},
    {_seconds_due(FAILED, "n.next_attempt_at")}""")


async def oldest_due(engine: Engine, *, unserved: bool = False) -> dict[str, timedelta | None]:
    """Return for how long the oldest row of each loop has been due; None if no row is due.

    It looks at the oldest row of each of the first `COUNTED_AT_MOST` enterprises, and leaves out those where it is paused.

    Args:
        unserved: leave out enterprises whose rows wait for a reason: they have a limit of their own, or rows in flight.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        row = (await connection.execute(_OLDEST_DUE, {"all": not unserved})).mappings().one()
    return {loop: None if seconds is None else timedelta(seconds=seconds) for loop, seconds in row.items()}
