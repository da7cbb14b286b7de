"""A delivery on real servers: PostgreSQL, and the Novu stand-in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_notification, a_workflow, written
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.delivery.shares import Shares
from xnovu_poller.lifecycle import Attempt, Language, Status
from xnovu_poller.novu import Novu
from xnovu_poller.store.engine import Engine

SECRET = "secret-novu-key-marker"
PERSON = "person-marker"
VALUE = "value-marker"
MARKERS = (SECRET, PERSON, VALUE)
"""Values that may appear only in the rows and at Novu."""

ENGLISH = Language("en", "UTC")

SHORT = timedelta(seconds=3)
"""The time limit of a call that should time out, but not before Novu has it."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """A delivery, and the gate that a test looks at."""

    delivery: Delivery
    gate: Gate

    async def deliver(
        self, *attempts: Attempt, last: bool = False, budget: float = 60, limit: float = 0
    ) -> list[Status]:
        """Deliver as an activity does, and return the states that were written, in no order.

        If the database is down, wait for it only if a limit is given.
        """
        delivered = await self.delivery.deliver(
            attempts, last=last, budget=timedelta(seconds=budget), limit=timedelta(seconds=limit)
        )
        return list(delivered.states.values())


@asynccontextmanager
async def delivering(
    engine: Engine,
    standin: NovuStandIn,
    *,
    call: timedelta = timedelta(seconds=30),
    max_failures: int = 8,
    gate: Gate | None = None,
) -> AsyncIterator[Delivering]:
    """Yield a delivery; close its connections afterwards."""
    gate = gate or Gate()
    novu = Novu(standin.url, SECRET, call, gate)
    delivery = Delivery(engine, novu, gate, timeout=call, max_failures=max_failures, language=ENGLISH)
    # Compiling is paid for by the time that passes, so on a busy machine an enterprise would have to wait.
    delivery._preparation._shares = Shares(lambda: 0.0)
    try:
        yield Delivering(delivery, gate)
    finally:
        await delivery.aclose()
        await novu.aclose()


def a_claimed(db: Db, *, workflow: int | None = None, **columns: object) -> Attempt:
    """Insert a claimed notification, of a plain workflow unless you name another."""
    chosen: dict[str, Any] = {"recipients": [PERSON], "payload": {"note": VALUE}} | columns
    made = a_notification(
        db,
        status=Status.PROCESSING,
        workflow=a_workflow(db, key=f"plain-{_count(db)}") if workflow is None else workflow,
        **chosen,
    )
    return Attempt(made, 1)


def lapsed(db: Db, attempt: Attempt, lapses: int = 0) -> None:
    """Make it look as if the sender of a notification had just died, after this many earlier lapses."""
    written(db, attempt.notification_id, lapses=lapses, send_until="2020-01-01T00:00Z")


def _count(db: Db) -> int:
    found = db.execute("SELECT count(*) AS n FROM notify.ent_notification_workflow").fetchone()
    assert found is not None
    return int(found["n"])
