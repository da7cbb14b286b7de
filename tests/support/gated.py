"""A replica whose gate uses a clock of the test, so that minutes of an outage pass at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from tests.support.clock import Clock
from tests.support.delivering import SECRET
from tests.support.novu import NovuStandIn
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.lifecycle import Claim, Status
from xnovu_poller.loops.loop import PollLoop
from xnovu_poller.novu import Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.due import NEW

CALL = timedelta(seconds=5)
CONNECTIONS = 10
"""The most calls to Novu at the same time."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A loop, a delivery and the gate between them; its claims are delivered in this process."""

    gate: Gate
    loop: PollLoop
    started: list[asyncio.Task[dict[int, Status]]]

    async def turn(self) -> tuple[list[Status], timedelta]:
        """Take one turn and wait until its claims are delivered; return the states, and the pause of the loop."""
        pause = await self.loop.turn()
        ended = await asyncio.gather(*self.started)
        self.started.clear()
        return [state for states in ended for state in states.values()], pause


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
    delivery = Delivery(engine, novu, gate, timeout=CALL, lease=timedelta(minutes=5), max_failures=1)
    started: list[asyncio.Task[dict[int, Status]]] = []

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
    loop = PollLoop(NEW, engine, gate, terms=terms, start=start, interval=timedelta(seconds=10))
    try:
        yield Replica(gate, loop, started)
    finally:
        await novu.aclose()
