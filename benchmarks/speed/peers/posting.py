"""The code that all Python peers share: the client of the sink, and the event loop."""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import uvloop

from benchmarks.speed.peers.order import Order, Payload

IN_FLIGHT = 50
"""The most requests in flight, for every peer."""

GAP_SECONDS = (0.02, 0.06)
"""The least and the most time between jobs that come one at a time; random, so that they do not fall into step."""

Step = Callable[[Order], Coroutine[None, None, None]]


class Origin:
    """Sends bodies to the sink, at most 50 at a time, over persistent connections."""

    def __init__(self, sink: str) -> None:
        self._sink = sink
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Open the pool of connections, which also limits the requests in flight."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=IN_FLIGHT), headers={"Content-Type": "application/json"}
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(self, body: str | bytes) -> None:
        """Send a body.

        Raises:
            RuntimeError: the sink does not answer 201.
        """
        async with self._session.post(self._sink, data=body) as answer:
            if answer.status != HTTPStatus.CREATED:
                raise RuntimeError(f"the sink answers {answer.status}")


async def one_by_one(order: Order, enqueue: Callable[[Payload], Awaitable[object]]) -> None:
    """Enqueue each job after the last has arrived; print the moment before each call, as JSON."""
    started_at: dict[str, float] = {}
    async with aiohttp.ClientSession() as driver:
        for number, payload in enumerate(order.payloads(), 1):
            started_at[payload["job"]] = time.monotonic()
            await enqueue(payload)
            async with driver.get(f"{order.sink}/_sink/until/{number}") as answer:
                await answer.read()
            await asyncio.sleep(random.uniform(*GAP_SECONDS))  # noqa: S311 - chance, not secrecy
    sys.stdout.write(json.dumps(started_at) + "\n")


def run(fill: Step, drain: Step, trickle: Step) -> None:
    """Run the step on the command line, `fill ORDER`, `drain ORDER` or `trickle ORDER`; draining does not end."""
    step = {"fill": fill, "drain": drain, "trickle": trickle}[sys.argv[1]]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(step(Order.read(Path(sys.argv[2]))))
