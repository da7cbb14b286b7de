"""List the notifications that a person asks for, the newest first, page by page."""

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import TextClause, text

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine, Tenant, acquire
from xnovu_poller.store.notifications.filters import IN_FLIGHT, LATEST, LISTED, MATCHING, Filters

PAGE, LARGE_PAGE, BLOCK = 200, 2_000, 10_000
"""Rows that a statement compares with the filters: in the order of time, with a filter that no index serves, or in the order of ids."""

LONGEST_INSERT = timedelta(hours=1)
"""A row has the time at which its transaction began, and its id is younger by no more than this."""

MOST_SECONDS = 10
"""A list begins no further page after this time, because no index serves all filters."""

MOST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the list: after the notification that was inserted at this time, with this id."""

    created_at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A notification as a list shows it.

    Attributes:
        recipient: the first of its recipients.
        code, message: why its last attempt failed.
    """

    id: int
    created_at: datetime
    enterprise_id: str
    status: Status
    workflow_key: str | None
    recipient: str
    recipient_count: int
    code: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of a list.

    Attributes:
        after: where the next part begins; None if this is the end.
        compared: how many rows were compared with the filters.
    """

    notifications: list[Listed]
    after: Position | None
    compared: int


_SHOWN = """n.enterprise_id, n.notification_status AS status, w.workflow_key, n.recipients[1] AS recipient,
            cardinality(n.recipients) AS recipient_count, n.error_details ->> 'code' AS code,
            n.error_details ->> 'message' AS message
        FROM notify.ent_notification n LEFT JOIN notify.ent_notification_workflow w ON w.id = n.notification_workflow_id"""

# Under row-level security the planner does not see that a comparison of states makes the state in an ORDER BY needless, so it
# is there wherever the index of lists has the order.
_IN_TIME = f"""
    WITH RECURSIVE lists (state, enterprise_id) AS (
        -- Each state with the enterprise that is named, or with each that has such rows: a loose index scan.
        SELECT state, coalesce(CAST(:enterprise AS text), (
            SELECT n.enterprise_id FROM notify.ent_notification n WHERE n.notification_status = state AND {LISTED}
            ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1))
        FROM unnest(CAST(:states AS notify.notification_status[])) AS wanted (state) WHERE state <> 'PROCESSING'
        UNION ALL
        SELECT lists.state, (
            SELECT n.enterprise_id FROM notify.ent_notification n
            WHERE n.notification_status = lists.state AND n.enterprise_id ~>~ lists.enterprise_id AND {LISTED}
            ORDER BY n.notification_status, n.enterprise_id USING ~<~ LIMIT 1)
        FROM lists WHERE CAST(:enterprise AS text) IS NULL AND lists.enterprise_id IS NOT NULL
    ), newest AS MATERIALIZED (
        -- The lists with the newest first rows: the page is among the rows of these.
        SELECT lists.state, lists.enterprise_id
        FROM lists, LATERAL (
            SELECT n.created_at, n.id FROM notify.ent_notification n
            WHERE n.notification_status = lists.state AND n.enterprise_id = lists.enterprise_id AND {LISTED}
                AND n.created_at >= :since AND (n.created_at, n.id) < (:created_at, :id)
            ORDER BY n.notification_status DESC, n.created_at DESC, n.id DESC LIMIT 1
        ) AS head
        ORDER BY head.created_at DESC, head.id DESC LIMIT {{size}}
    ), page AS MATERIALIZED (
        -- The next rows in the order of time, and with them the rows in flight.
        SELECT listed.created_at, listed.id FROM (
            SELECT each.created_at, each.id
            FROM newest, LATERAL (
                SELECT n.created_at, n.id FROM notify.ent_notification n
                WHERE n.notification_status = newest.state AND n.enterprise_id = newest.enterprise_id AND {LISTED}
                    AND n.created_at >= :since AND (n.created_at, n.id) < (:created_at, :id)
                ORDER BY n.notification_status DESC, n.created_at DESC, n.id DESC LIMIT {{size}}
            ) AS each
            UNION ALL
            SELECT n.created_at, n.id FROM notify.ent_notification n
            WHERE {IN_FLIGHT} AND 'PROCESSING' = ANY (CAST(:states AS notify.notification_status[]))
                AND (CAST(:enterprise AS text) IS NULL OR n.enterprise_id = :enterprise)
                AND n.created_at >= :since AND (n.created_at, n.id) < (:created_at, :id)
        ) AS listed
        ORDER BY listed.created_at DESC, listed.id DESC LIMIT {{size}}
    )
    SELECT page.created_at, page.id, matching.*
    FROM page LEFT JOIN LATERAL (
        SELECT {_SHOWN}
        WHERE n.id = page.id
            AND {MATCHING}
        -- Without a limit it would be a join, and the planner may read the whole table for it.
        LIMIT 1
    ) AS matching ON true
    ORDER BY page.created_at DESC, page.id DESC"""  # noqa: S608 - built of constants

_BY_ID = f"""
    WITH block AS MATERIALIZED (
        -- The next rows in the order of their ids.
        SELECT min(id) AS id, count(*) AS size FROM (
            SELECT n.id FROM notify.ent_notification n WHERE n.id < :id ORDER BY n.id DESC LIMIT {{size}}) AS ids
    )
    SELECT block.id AS last_id, block.size, last.created_at AS last_created_at, matching.*
    FROM block JOIN notify.ent_notification last ON last.id = block.id LEFT JOIN LATERAL (
        SELECT n.created_at, n.id, {_SHOWN}
        WHERE n.id >= block.id AND n.id < :id AND n.created_at >= :since
            AND n.notification_status = ANY (CAST(:states AS notify.notification_status[]))
            AND {MATCHING}
        ORDER BY n.id DESC LIMIT {PAGE}
    ) AS matching ON true
    ORDER BY matching.id DESC"""  # noqa: S608 - built of constants

_PAGE, _LARGE_PAGE = (text(_IN_TIME.format(size=size)) for size in (PAGE, LARGE_PAGE))
_BLOCK = text(_BY_ID.format(size=BLOCK))


async def list_page(
    engine: Engine | Tenant,
    filters: Filters,
    limit: int,
    after: Position | None = None,
    *,
    seconds: float = MOST_SECONDS,
) -> Listing:
    """Read the next notifications, the newest first, as many as are found in time.

    Args:
        limit: the most notifications to return.
        after: where the part before it ended.
        seconds: no further page begins after this time.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = filters.to_values() | {"states": list(filters.wanted)}
    read = _choose(filters)
    at = after or (Position(LATEST, MOST_ID) if read is _read_block else Position(values["until"], 0))
    found: list[Listed] = []
    compared, end = 0, time.monotonic() + seconds
    while True:
        part = await read(engine, values, at)
        found += part.notifications
        compared += part.compared
        if len(found) >= limit:
            last = found[limit - 1]
            is_end = part.after is None and len(found) == limit
            return Listing(found[:limit], None if is_end else Position(last.created_at, last.id), compared)
        if part.after is None or time.monotonic() >= end:
            return Listing(found, part.after, compared)
        at = part.after


_Reader = Callable[[Engine | Tenant, dict[str, Any], Position], Awaitable[Listing]]


def _choose(filters: Filters) -> _Reader:
    """Return the way that finds the rows with the least work.

    The index of lists leads to an enterprise, to a state that few rows have, and to a time in the past. Otherwise nearly each row
    of the table is a candidate, and in the order of ids ten thousand of them cost what two hundred cost in the order of time.
    """
    is_wide = filters.enterprise is None and (
        not filters.states or (filters.compares and Status.SENT in filters.states)
    )
    if is_wide and filters.until is None:
        return _read_block
    if filters.compares and not is_wide:
        return partial(_read_lists, _LARGE_PAGE, LARGE_PAGE)
    return partial(_read_lists, _PAGE, PAGE)


async def _read_lists(
    statement: TextClause, size: int, engine: Engine | Tenant, values: dict[str, Any], at: Position
) -> Listing:
    """Read the next rows of the lists of states and enterprises."""
    async with acquire(engine) as connection:
        rows = (
            await connection.execute(statement, values | {"created_at": at.created_at, "id": at.id})
        ).all()
    after = Position(rows[-1].created_at, rows[-1].id) if len(rows) == size else None
    return Listing([_to_listed(row) for row in rows if row.status is not None], after, len(rows))


async def _read_block(engine: Engine | Tenant, values: dict[str, Any], at: Position) -> Listing:
    """Read the next rows of the table, of any state and enterprise."""
    async with acquire(engine) as connection:
        rows = (await connection.execute(_BLOCK, values | {"id": at.id})).all()
    found = [_to_listed(row) for row in rows if row.status is not None]
    if not rows:
        return Listing([], None, 0)
    if len(found) == PAGE:
        return Listing(found, Position(found[-1].created_at, found[-1].id), PAGE)
    first = rows[0]
    is_end = first.size < BLOCK or first.last_created_at + LONGEST_INSERT < values["since"]
    return Listing(found, None if is_end else Position(first.last_created_at, first.last_id), first.size)


def _to_listed(row: Any) -> Listed:  # noqa: ANN401 - a row has no type
    return Listed(
        row.id,
        row.created_at,
        row.enterprise_id,
        Status(row.status),
        row.workflow_key,
        row.recipient,
        row.recipient_count,
        row.code,
        row.message,
    )


_STATES = text("""
    SELECT n.id, n.notification_status AS status FROM notify.ent_notification n
    WHERE n.id = ANY (CAST(:ids AS bigint[]))""")


async def read_states(engine: Engine, ids: Collection[int]) -> dict[int, Status]:
    """Return the states of notifications; a missing id does not exist.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    if not ids:
        return {}
    async with acquire(engine) as connection:
        rows = await connection.execute(_STATES, {"ids": list(ids)})
        return {row.id: Status(row.status) for row in rows}
