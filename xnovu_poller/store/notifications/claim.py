"""The claim: PENDING or FAILED → PROCESSING, fairly, on the terms of the deployment."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from xnovu_poller.lifecycle import Claim
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.arrow import read_claims
from xnovu_poller.store.notifications.claim_sql import EnterpriseScope, claim_sql
from xnovu_poller.store.notifications.due import Due
from xnovu_poller.store.notifications.memory import Memory

COUNTED_CHEAPLY = 5000
"""Up to this many rows in flight are counted at each claim: others claim too, and would soon pass a small bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a deployment claims.

    Attributes:
        prefix: the deployment's short name, first part of every run's id.
        batch: most rows of one claim.
        group_size: notifications of one workflow, 1 to 500.
        max_in_flight: most PROCESSING rows of the deployment.
        lease: how long a claim stands before work on it begins.
        enterprises: the tenants served; None for all.
    """

    prefix: str
    batch: int
    group_size: int
    max_in_flight: int
    lease: timedelta
    enterprises: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a loop's round of the enterprises stands.

    Attributes:
        after: the enterprise that was served last.
        turn: which of ten turns comes next; each lets the oldest row of an enterprise go first at another place.
        memory: what the last claim learnt about who waits.
    """

    after: str = ""
    turn: int = 0
    memory: Memory | None = None


async def claim(
    engine: Engine, due: Due, terms: Terms, cursor: Cursor, *, limit: int | None = None
) -> tuple[list[Claim], Cursor]:
    """Write PENDING or FAILED → PROCESSING: take due rows, fairly, for as long as a handoff needs.

    If the process dies here, the lease lapses and the failed loop rescues the rows.

    Args:
        due: the loop's rows.
        terms: on which it claims.
        cursor: where its round stands.
        limit: most rows now, at most a batch; None for a batch.

    Returns:
        The claims, in no order, empty if nothing is due or the deployment is full; and the cursor
        from which the next claim of this loop goes on.

    Raises:
        StoreUnavailable: PostgreSQL does not answer; the rows may have been claimed, and lapse.
    """
    limit = terms.batch if limit is None else limit
    memory = cursor.memory if cursor.memory and time.monotonic() < cursor.memory.until else None
    rows, learnt = await _take(engine, due, terms, replace(cursor, memory=memory), limit)
    if memory and not rows:
        # The memory hides rows that came due late, and room that is free again.
        rows, learnt = await _take(engine, due, terms, replace(cursor, memory=None), limit)
    after = max(rows, key=lambda row: row.position).enterprise_id if rows else cursor.after
    # After less than half, the memory may hide more than it spares.
    return read_claims(rows), Cursor(
        after, (cursor.turn + 1) % 10, learnt if 2 * len(rows) >= limit else None
    )


async def _take(
    engine: Engine, due: Due, terms: Terms, cursor: Cursor, limit: int
) -> tuple[Sequence[Any], Memory | None]:
    """Claim once, and learn from it."""
    memory, named = cursor.memory, terms.enterprises is not None
    values: dict[str, Any] = {
        "after": cursor.after,
        "turn": cursor.turn,
        "limit": limit,
        "max_in_flight": terms.max_in_flight,
        "lease": terms.lease.total_seconds(),
        "prefix": terms.prefix,
        "group_size": terms.group_size,
        "groups": _groups(terms, limit),
        "enterprises": terms.enterprises and list(terms.enterprises),
        **_bind(memory),
    }
    scope = EnterpriseScope.NAMED if named else EnterpriseScope.KNOWN if memory else EnterpriseScope.ALL
    began = time.monotonic()
    async with acquire(engine) as connection:
        rows = (await connection.execute(claim_sql(due, terms.batch, scope), values)).all()
    if memory is None and rows:
        in_flight = next(row.in_flight for row in rows if row.in_flight is not None)
        memory = Memory.of(in_flight, looked_from=began, looked_until=time.monotonic())
    return rows, memory and memory.after(rows)


def _groups(terms: Terms, limit: int) -> list[str]:
    """Name the runs that the rows may share; a row with a run of its own needs none."""
    if terms.group_size == 1:
        return []
    return [f"{terms.prefix}-notifications-{uuid4()}" for _ in range(-(-limit // terms.group_size))]


def _bind(memory: Memory | None) -> dict[str, Any]:
    """Bind the memory."""
    counting = memory is None or not (memory.slow or sum(memory.in_flight.values()) >= COUNTED_CHEAPLY)
    held = memory.in_flight if memory and not counting else {}
    marks = memory.marks if memory else {}
    orders = [mark for each in marks.values() for mark in each]
    return {
        "counting": counting,
        "holders": list(held),
        "held": list(held.values()),
        "known": list(marks),
        "marks": [mark[0] for mark in orders],
        "times": [mark[1] for mark in orders],
    }
