"""Walk through all notifications that a person means, slice by slice, to count or to change them."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from sqlalchemy import TextClause, text

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.filters import IN_FLIGHT, LISTED, MATCHING, Filters

SLICE = 1000
"""Rows that a statement compares with the filters."""

MOST_COUNTED, MOST_COMPARED = 100_000, 1_000_000
"""A count stops at this many notifications, or after as many comparisons."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The notifications of a slice, in the order of their enterprises and of time.

    Attributes:
        ids: those that match the filters, each with its enterprise.
        compared: how many rows were compared with the filters.
    """

    state: Status
    ids: dict[int, str]
    compared: int


@dataclass(slots=True)
class Count:
    """How many notifications match.

    Attributes:
        is_complete: there are no more; otherwise the count stopped at its bound.
    """

    by_state: Counter[Status] = field(default_factory=Counter)
    by_enterprise: Counter[str] = field(default_factory=Counter)
    is_complete: bool = True

    @property
    def total(self) -> int:
        """All of them."""
        return self.by_state.total()


# The enterprises come in the order of the recursion, one after another, and the limit ends the recursion: a sort would read
# all of them first. Why the state is in each ORDER BY: see `listing`.
_WALK = """
    WITH RECURSIVE enterprises (enterprise_id, created_at, id) AS (
        -- The enterprise that the walk has reached, with the place in it; then each enterprise that has such rows.
        SELECT CAST(:reached AS text), CAST(:created_at AS timestamptz), CAST(:id AS bigint)
        UNION ALL
        SELECT (
            SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE {rows} AND n.enterprise_id ~>~ enterprises.enterprise_id
            ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1), CAST(:since AS timestamptz), CAST(0 AS bigint)
        FROM enterprises WHERE CAST(:enterprise AS text) IS NULL AND enterprises.enterprise_id IS NOT NULL
    ), slice AS MATERIALIZED (
        -- The next rows.
        SELECT following.enterprise_id, following.created_at, following.id
        FROM enterprises, LATERAL (
            SELECT n.enterprise_id, n.created_at, n.id FROM notify.ent_notification n
            WHERE {rows} AND n.enterprise_id = enterprises.enterprise_id
                AND (n.created_at, n.id) > (enterprises.created_at, enterprises.id) AND n.created_at < :until
            ORDER BY n.notification_status, n.created_at, n.id LIMIT {size}
        ) AS following
        LIMIT {size}
    )
    SELECT slice.enterprise_id, slice.created_at, slice.id, matching.id IS NOT NULL AS is_matching
    FROM slice LEFT JOIN LATERAL (
        SELECT n.id FROM notify.ent_notification n
        WHERE n.id = slice.id
            AND {matching}
        -- Without a limit it would be a join, and the planner may read the whole table for it.
        LIMIT 1
    ) AS matching ON true"""


def walk_sql(rows: str) -> TextClause:
    """Return the statement that reads a slice of these rows."""
    return text(_WALK.format(rows=rows, size=SLICE, matching=MATCHING))


_WALKS = {
    state: walk_sql(
        IN_FLIGHT if state is Status.PROCESSING else f"n.notification_status = '{state}' AND {LISTED}"
    )
    for state in Status
}


async def walk(engine: Engine, filters: Filters) -> AsyncIterator[Slice]:
    """Yield the notifications state by state, and in each by enterprise and time.

    A notification that a slice has changed, or that was inserted at `until` or later, does not come again. Others may move
    meanwhile: from one state to a later one, and so come twice, or the other way, and so not at all.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    start = filters.to_values()
    for state in filters.wanted:
        at = {"reached": filters.enterprise or "", "created_at": start["since"], "id": 0}
        while True:
            async with acquire(engine) as connection:
                rows = (await connection.execute(_WALKS[state], start | at)).all()
            yield Slice(state, {row.id: row.enterprise_id for row in rows if row.is_matching}, len(rows))
            if len(rows) < SLICE:
                break
            at = {"reached": rows[-1].enterprise_id, "created_at": rows[-1].created_at, "id": rows[-1].id}


_NOW = text("SELECT clock_timestamp()")


async def count(engine: Engine, filters: Filters) -> tuple[Count, Filters]:
    """Count the notifications, up to a bound.

    Returns:
        The count, and the same filters without notifications that are inserted or end from now on, by the database's clock.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        now = await connection.scalar(_NOW)
    bounded = replace(filters, until=min(now, filters.until or now), ended=min(now, filters.ended or now))
    counted, compared = Count(), 0
    async for slice_ in walk(engine, bounded):
        if counted.total >= MOST_COUNTED or compared >= MOST_COMPARED:
            counted.is_complete = False
            break
        counted.by_state[slice_.state] += len(slice_.ids)
        counted.by_enterprise.update(slice_.ids.values())
        compared += slice_.compared
    return counted, bounded
