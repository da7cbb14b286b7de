"""The claim: PENDING or FAILED → PROCESSING, fairly, on the terms of the deployment."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from xnovu_poller.lifecycle import Claim
from xnovu_poller.store import pauses
from xnovu_poller.store.engine import Engine, query, to_array
from xnovu_poller.store.notifications.arrow import read_claims
from xnovu_poller.store.notifications.claim_sql import claim_sql
from xnovu_poller.store.notifications.due import Due
from xnovu_poller.store.notifications.memory import Memory
from xnovu_poller.store.notifications.queue import NOTHING_LEARNT, Queue
from xnovu_poller.store.notifications.round_sql import EnterpriseScope

COUNTED_CHEAPLY = 5000
"""While fewer rows than this are in flight, count them at each claim and do not remember their number: other workers
claim too, and could soon exceed a small bound."""

MOST_LOGINS = 1000
"""The logins of which a loop remembers the enterprise that was served last; the others begin with their first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms on which a deployment claims.

    Attributes:
        prefix: the deployment's short name, the first part of every run's id.
        batch: the most rows of a claim.
        group_size: how many notifications may share a run, 1 to 2000.
        grouped_from: how many rows a claim must have for them to share runs, unless it was allowed no more.
        max_in_flight: the most PROCESSING rows of the deployment.
        lease: when the rescue asks Temporal about a claim.
        enterprises: the tenants to serve; None for all.
    """

    prefix: str
    batch: int
    group_size: int
    max_in_flight: int
    lease: timedelta
    grouped_from: int = 1
    enterprises: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a loop has come in its round of the logins and their enterprises.

    Attributes:
        after: the enterprise that was served last.
        rounds: the enterprise that was served last, by login; the login that was served last is the last.
        turn: 0 to 9, another at each claim; it spreads out the claims that take the oldest rows.
        memory: the observations of recent claims.
        queue: the rows that are claimed and wait for an executor.
        switched: anything is paused, or an enterprise has a brake, as far as the loop knows. A claim that does not know it
            claims nothing, so it asks then.
        braked: the enterprises that the last claim has paused, because their brake closed.
    """

    after: str = ""
    turn: int = 0
    memory: Memory | None = None
    queue: Queue = NOTHING_LEARNT
    rounds: dict[str, str] = field(default_factory=dict)
    switched: bool = False
    braked: tuple[str, ...] = ()


async def claim(
    engine: Engine, due: Due, terms: Terms, cursor: Cursor, *, limit: int | None = None
) -> tuple[list[Claim], Cursor]:
    """Write PENDING or FAILED → PROCESSING: claim due rows, fairly, for as long as a handoff needs.

    If the process dies here, the leases lapse and the rescuer releases the rows.

    Args:
        cursor: the cursor that the loop's last claim returned.
        limit: the most rows now, at most a batch; None for a batch.

    Returns:
        The claims, in any order, and the cursor for the loop's next claim. There are no claims if nothing is due or the
        deployment is full.

    Raises:
        StoreUnavailable: PostgreSQL does not answer; rows may have been claimed, and their leases lapse.
    """
    limit = terms.batch if limit is None else limit
    if cursor.memory and time.monotonic() >= cursor.memory.until:
        cursor = replace(cursor, memory=None)
    rows, found = await _take(engine, due, terms, cursor, limit)
    if cursor.memory and not rows:
        # The memory hides rows that came due late, and capacity that others have freed.
        rows, found = await _take(engine, due, terms, replace(cursor, memory=None), limit)
    switched = any(row.switched for row in rows) if rows else await pauses.is_any(engine)
    if switched and not cursor.switched:
        cursor = replace(cursor, switched=True, memory=None)
        rows, found = await _take(engine, due, terms, cursor, limit)
    served = sorted(rows, key=lambda row: row.position)
    return read_claims(rows), Cursor(
        served[-1].enterprise_id if served else cursor.after,
        (cursor.turn + 1) % 10,
        # If the claim got less than half, the memory may hide more than it saves.
        found.memory if 2 * len(rows) >= limit else None,
        found.queue,
        _rounds(cursor.rounds, served),
        switched,
        tuple(enterprise for row in rows for enterprise in row.braked or ()),
    )


def _rounds(rounds: dict[str, str], served: Sequence[Any]) -> dict[str, str]:
    """Return the rounds of the logins after a claim.

    Args:
        served: the claimed rows, in the order of the round; without a login, unless the claim went round the logins.
    """
    after = dict(rounds)
    for row in served:
        if row.login is not None:
            after.pop(row.login, None)
            after[row.login] = row.enterprise_id
    return dict(list(after.items())[-MOST_LOGINS:])


async def _take(
    engine: Engine, due: Due, terms: Terms, cursor: Cursor, limit: int
) -> tuple[Sequence[Any], Cursor]:
    """Claim once; return the rows, and the cursor with its memory and its queue after it."""
    memory, queue = cursor.memory, cursor.queue
    remembered = _bind(memory)
    values: dict[str, Any] = {
        "after": cursor.after,
        "login": next(reversed(cursor.rounds), ""),
        "logins": list(cursor.rounds),
        "afters": list(cursor.rounds.values()),
        "turn": cursor.turn,
        "limit": limit if remembered["counting"] else min(limit, queue.room),
        "max_in_flight": terms.max_in_flight,
        "most_queued": queue.most,
        "room_needed": queue.needed(limit),
        "newest": queue.newest,
        "lease": terms.lease.total_seconds(),
        "prefix": terms.prefix,
        "group_size": terms.group_size,
        "grouped_from": terms.grouped_from,
        "groups": to_array(_groups(terms, limit)),
        "enterprises": terms.enterprises and list(terms.enterprises),
        **remembered,
    }
    named = terms.enterprises is not None
    scope = EnterpriseScope.NAMED if named else EnterpriseScope.KNOWN if memory else EnterpriseScope.ALL
    began = time.monotonic()
    rows = await query(engine, claim_sql(due, terms.batch, scope, switched=cursor.switched), values)
    ended = time.monotonic()
    if not rows:
        return rows, cursor
    first = next((row for row in rows if row.in_flight is not None), None)
    if first is not None:
        queued, measured = first.queued
        queue = queue.after(queued, measured, len(rows), max(row.claimed_at for row in rows), ended)
        memory = memory or Memory.of(first.in_flight, looked_from=began, looked_until=ended)
    else:
        queue = queue.grown(len(rows))
    return rows, replace(cursor, memory=memory and memory.after(rows), queue=queue)


def _groups(terms: Terms, limit: int) -> list[str]:
    """Return ids for the runs that rows may share; a row with a run of its own needs none."""
    if terms.group_size == 1:
        return []
    return [f"{terms.prefix}-notifications-{uuid4()}" for _ in range(-(-limit // terms.group_size))]


def _bind(memory: Memory | None) -> dict[str, Any]:
    """Return the parameters of a memory."""
    counting = memory is None or not (memory.slow or sum(memory.in_flight.values()) >= COUNTED_CHEAPLY)
    held = memory.in_flight if memory and not counting else {}
    marks = memory.marks if memory else {}
    orders = [mark for each in marks.values() for mark in each]
    return {
        "counting": counting,
        "holders": list(held),
        "held": to_array(held.values()),
        "known": list(marks),
        "marks": to_array(mark[0] for mark in orders),
        "times": [mark[1] for mark in orders],
    }
