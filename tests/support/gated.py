"""A replica whose gate uses a clock of the test, so that minutes of an outage pass at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from tests.support.clock import Clock
from tests.support.delivering import ENGLISH, SECRET
from tests.support.novu import NovuStandIn
from tests.support.rows import Db
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.deliver import Delivered, Delivery
from xnovu_poller.lifecycle import Claim, Status
from xnovu_poller.loops.loop import PollLoop
from xnovu_poller.novu import Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.due import FAILED, NEW

CALL = timedelta(seconds=60)
CONNECTIONS = 10
"""The most calls to Novu at the same time."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A loop, a delivery and the gate between them; its claims are delivered in this process."""

    gate: Gate
    loop: PollLoop
    failed_loop: PollLoop
    started: list[asyncio.Task[Delivered]]

    async def turn(self) -> tuple[list[Status], timedelta]:
        """Take one turn and wait until its claims are delivered; return the states, and the pause of the loop."""
        return await self._turn(self.loop)

    async def retry(self, db: Db) -> list[Status]:
        """Make the rows that are FAILED due, and take a turn of their loop; return the states."""
        db.execute(
            "UPDATE notify.ent_notification SET next_attempt_at = now() WHERE notification_status = 'FAILED'"
        )
        return (await self._turn(self.failed_loop))[0]

    async def _turn(self, loop: PollLoop) -> tuple[list[Status], timedelta]:
        pause = await loop.turn()
        ended = await asyncio.gather(*self.started)
        self.started.clear()
        return [state for delivered in ended for state in delivered.states.values()], pause


@asynccontextmanager
async def replica(
    engine: Engine,
    standin: NovuStandIn,
    clock: Clock,
    *,
    jitter: float = 0.0,
    batch: int = 100,
    group_size: int = 1,
) -> AsyncIterator[Replica]:
    """Yield a replica whose notifications would end DEAD at the first failure that counts."""
    gate = Gate(clock, lambda: jitter)
    novu = Novu(standin.url, SECRET, CALL, gate, connections=CONNECTIONS)
    delivery = Delivery(engine, novu, gate, timeout=CALL, max_failures=1, language=ENGLISH)
    started: list[asyncio.Task[Delivered]] = []

    async def start(claims: Sequence[Claim]) -> None:
        attempts = [claim.attempt for claim in claims]
        started.append(
            asyncio.create_task(
                delivery.deliver(attempts, last=True, budget=timedelta(minutes=1), limit=timedelta(0))
            )
        )

    terms = Terms(
        prefix="test",
        batch=batch,
        group_size=group_size,
        max_in_flight=1000,
        lease=timedelta(seconds=30),
    )
    new, failed = (
        PollLoop(due, engine, gate, terms=terms, start=start, interval=timedelta(seconds=10))
        for due in (NEW, FAILED)
    )
    try:
        yield Replica(gate, new, failed, started)
    finally:
        await novu.aclose()
