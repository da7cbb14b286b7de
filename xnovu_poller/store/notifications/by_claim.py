"""The arrows of the loops: their right is a claim on which no send has begun."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from xnovu_poller.lifecycle import Attempt, Claim, seconds
from xnovu_poller.store.engine import Engine, acquire
from xnovu_poller.store.notifications.arrow import (
    BACK,
    LET_GO,
    WORKFLOW_KEY,
    arrow,
    bind_works,
    claims_of,
    move,
)
from xnovu_poller.store.notifications.due import Due, EnterpriseScope, claim_sql
from xnovu_poller.store.notifications.memory import Memory

COUNTED_CHEAPLY = 5000
"""So many rows in flight are counted at each claim: others claim too, and a bound of that size is soon passed."""

EXPIRE_AT_ONCE = 1000
"""One turn expires this many notifications at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a deployment claims.

    Attributes:
        prefix: the deployment's short name, first part of every workflow id.
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
    """Where a loop's round of the enterprises stands: after whom, at which of ten spins, and what it remembers."""

    after: str = ""
    spin: int = 0
    memory: Memory | None = None


async def claim(
    engine: Engine, due: Due, terms: Terms, place: Cursor, *, places: int | None = None
) -> tuple[list[Claim], Cursor]:
    """PENDING or FAILED → PROCESSING: take due rows, fairly, for as long as a handoff needs.

    If the process dies here, the lease lapses and the failed loop rescues the rows.

    Args:
        engine: where the rows are.
        due: the loop's rows.
        terms: on which it claims.
        place: where its round stands.
        places: most rows now, at most a batch; None for a batch.

    Returns:
        The claims, in no order, empty if nothing is due or the deployment is full; and the place
        from which the next claim of this loop goes on.

    Raises:
        StoreUnavailable: PostgreSQL does not answer; the rows may have been claimed, and lapse.
    """
    places = terms.batch if places is None else places
    memory = place.memory if place.memory and time.monotonic() < place.memory.until else None
    rows, learnt = await _take(engine, due, terms, replace(place, memory=memory), places)
    if memory and not rows:
        # What is remembered hides what came late, or what is free again.
        rows, learnt = await _take(engine, due, terms, replace(place, memory=None), places)
    after = max(rows, key=lambda row: row.place).enterprise_id if rows else place.after
    # Less than half: what is remembered may hide more than it spares.
    return claims_of(rows), Cursor(after, (place.spin + 1) % 10, learnt if 2 * len(rows) >= places else None)


async def _take(
    engine: Engine, due: Due, terms: Terms, place: Cursor, places: int
) -> tuple[Sequence[Any], Memory | None]:
    """Claim once, and learn from it."""
    memory, named = place.memory, terms.enterprises is not None
    values: dict[str, Any] = {
        "after": place.after,
        "spin": place.spin,
        "places": places,
        "max_in_flight": terms.max_in_flight,
        "lease": seconds(terms.lease),
        "prefix": terms.prefix,
        "group_size": terms.group_size,
        "groups": _groups(terms, places),
        "enterprises": terms.enterprises and list(terms.enterprises),
        **_bind(memory),
    }
    ring = EnterpriseScope.NAMED if named else EnterpriseScope.KNOWN if memory else EnterpriseScope.ALL
    began = time.monotonic()
    async with acquire(engine) as connection:
        rows = (await connection.execute(claim_sql(due, terms.batch, ring), values)).all()
    if memory is None and rows:
        held = next(row.held for row in rows if row.held is not None)
        memory = Memory.of(held, looked_from=began, looked_until=time.monotonic())
    return rows, memory and memory.after(rows)


def _groups(terms: Terms, places: int) -> list[str]:
    """Name the workflows that the rows may share; what runs alone has a name of its own."""
    if terms.group_size == 1:
        return []
    return [f"{terms.prefix}-notifications-{uuid4()}" for _ in range(-(-places // terms.group_size))]


def _bind(memory: Memory | None) -> dict[str, Any]:
    """Bind what is remembered."""
    counting = memory is None or not (memory.dear or sum(memory.held.values()) >= COUNTED_CHEAPLY)
    held = memory.held if memory and not counting else {}
    marks = memory.marks if memory else {}
    lanes = [mark for each in marks.values() for mark in each]
    return {
        "counting": counting,
        "holders": list(held),
        "held": list(held.values()),
        "known": list(marks),
        "marks": [mark[0] for mark in lanes],
        "times": [mark[1] for mark in lanes],
    }


async def release(engine: Engine, works: Sequence[Attempt]) -> set[int]:
    """PROCESSING → PENDING, or FAILED where it came from: give back, unharmed, what was not begun.

    Raises:
        StoreUnavailable: nothing may have been written; the leases lapse.
    """
    return await move(engine, _RELEASE, bind_works(works))


async def extend(engine: Engine, works: Sequence[Attempt], lease: timedelta) -> set[int]:
    """PROCESSING → PROCESSING: Temporal still has the workflow, so the lease goes on.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    return await move(engine, _EXTEND, bind_works(works) | {"lease": seconds(lease)})


async def renew(engine: Engine, works: Sequence[Attempt], terms: Terms) -> list[Claim]:
    """PROCESSING → PROCESSING, claimed anew: the workflow is gone and its last send has lapsed.

    Returns:
        The new claims; each runs alone.

    Raises:
        StoreUnavailable: the rows may have been claimed; their leases lapse.
    """
    values = bind_works(works) | {"lease": seconds(terms.lease), "prefix": terms.prefix}
    async with acquire(engine) as connection:
        return claims_of((await connection.execute(_RENEW, values)).all())


async def expire(engine: Engine) -> int:
    """PENDING or FAILED → RETRACTED, reason `expired`; not what may have been accepted already.

    Returns:
        How many moved, at most `EXPIRE_AT_ONCE`.

    Raises:
        StoreUnavailable: nothing may have been written.
    """
    return len(await move(engine, _EXPIRE, {}))


async def cancelled(engine: Engine, answers: Mapping[int, str]) -> set[int]:
    """SENT → SENT: what Novu said when it was asked to cancel, beside the state, which stays true.

    Args:
        engine: where the rows are.
        answers: the word that the row is to tell, by notification id; the first one stands.

    Raises:
        StoreUnavailable: nothing may have been written; Novu is asked again.
    """
    return await move(engine, _CANCELLED, {"ids": list(answers), "answers": list(answers.values())})


_RELEASE = arrow(f"notification_status = {BACK}, {LET_GO}", right="n.send_until IS NULL")
_EXTEND = arrow(
    "lease_expires_at = greatest(n.lease_expires_at, clock_timestamp() + make_interval(secs => :lease))",
    right="true",
)
_RENEW = arrow(
    """attempt = n.attempt + 1, lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
        temporal_workflow_id = concat(CAST(:prefix AS text), '-notification-', n.id, '-', n.attempt + 1)""",
    right="n.send_until < clock_timestamp() AND n.lease_expires_at < clock_timestamp()",
    returning=f"n.id, n.attempt, n.enterprise_id, n.temporal_workflow_id, n.priority, {WORKFLOW_KEY}",
)
_EXPIRE = text(f"""
    WITH gone AS MATERIALIZED (
        SELECT n.id FROM notify.ent_notification n
        WHERE n.notification_status IN ('PENDING', 'FAILED') AND n.expires_at <= now()
            AND n.unknown_outcomes = 0 AND NOT EXISTS (
                SELECT FROM notify.ent_notification_delivery d
                WHERE d.notification_id = n.id AND d.outcome IN ('accepted', 'unknown'))
        ORDER BY n.expires_at, n.id
        LIMIT {EXPIRE_AT_ONCE}
        FOR UPDATE OF n SKIP LOCKED
    )
    UPDATE notify.ent_notification AS n SET notification_status = 'RETRACTED', retraction_reason = 'expired',
        retracted_at = clock_timestamp()
    FROM gone WHERE n.id = gone.id
    RETURNING n.id""")  # noqa: S608 - built of this module's constants
_CANCELLED = text("""
    WITH mine AS MATERIALIZED (
        SELECT n.id, told.answer FROM notify.ent_notification n
        JOIN unnest(CAST(:ids AS bigint[]), CAST(:answers AS text[])) AS told (id, answer) USING (id)
        WHERE n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL
            -- A replica that was told later that nothing is left does not know what the other has cancelled.
            AND (n.error_details IS NULL OR told.answer = 'cancelled')
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET error_details = jsonb_build_object('cancel', mine.answer)
    FROM mine WHERE n.id = mine.id
    RETURNING n.id""")
