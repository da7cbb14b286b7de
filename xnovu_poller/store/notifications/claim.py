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
"""While fewer rows than this are in flight, count them at each claim and do not remember their number: other workers
claim too, and could soon exceed a small bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms on which a deployment claims.

    Attributes:
        prefix: the deployment's short name, the first part of every run's id.
        batch: the most rows of a claim.
        group_size: how many notifications may share a run, 1 to 500.
        max_in_flight: the most PROCESSING rows of the deployment.
        lease: how long a claim is valid before work on it begins.
        enterprises: the tenants to serve; None for all.
    """

    prefix: str
    batch: int
    group_size: int
    max_in_flight: int
    lease: timedelta
    enterprises: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a loop has come in its round of the enterprises.

    Attributes:
        after: the enterprise that was served last.
        turn: 0 to 9, another at each claim; it spreads out the claims that take the oldest rows.
        memory: the observations of recent claims.
    """

    after: str = ""
    turn: int = 0
    memory: Memory | None = None


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
    memory = cursor.memory if cursor.memory and time.monotonic() < cursor.memory.until else None
    rows, learnt = await _take(engine, due, terms, replace(cursor, memory=memory), limit)
    if memory and not rows:
        # The memory hides rows that came due late, and capacity that others have freed.
        rows, learnt = await _take(engine, due, terms, replace(cursor, memory=None), limit)
    after = max(rows, key=lambda row: row.position).enterprise_id if rows else cursor.after
    # If the claim got less than half, the memory may hide more than it saves.
    return read_claims(rows), Cursor(
        after, (cursor.turn + 1) % 10, learnt if 2 * len(rows) >= limit else None
    )


async def _take(
    engine: Engine, due: Due, terms: Terms, cursor: Cursor, limit: int
) -> tuple[Sequence[Any], Memory | None]:
    """Claim once; return the rows, and the memory after it."""
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
        "held": list(held.values()),
        "known": list(marks),
        "marks": [mark[0] for mark in orders],
        "times": [mark[1] for mark in orders],
    }
