"""A replica whose gate keeps a clock of the test's own: minutes of an outage pass at once."""

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
"""As many calls to Novu are under way at once."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A loop, a delivery and the gate between them; its claims are delivered where they were made."""

    gate: Gate
    loop: PollLoop
    begun: list[asyncio.Task[dict[int, Status]]]

    async def turn(self) -> tuple[list[Status], timedelta]:
        """Turn once, and see the end of all that was claimed; give how each ended, and the loop's rest."""
        rest = await self.loop.turn()
        ended = await asyncio.gather(*self.begun)
        self.begun.clear()
        return [state for states in ended for state in states.values()], rest


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
    """Make a replica; the first failure that counts would end a notification DEAD."""
    gate = Gate(clock, lambda: jitter)
    novu = Novu(standin.url, SECRET, CALL, gate, connections=CONNECTIONS)
    delivery = Delivery(engine, novu, gate, timeout=CALL, lease=timedelta(minutes=5), max_failures=1)
    begun: list[asyncio.Task[dict[int, Status]]] = []

    async def start(claims: Sequence[Claim]) -> None:
        attempts = [claim.attempt for claim in claims]
        begun.append(
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
        yield Replica(gate, loop, begun)
    finally:
        await novu.aclose()
