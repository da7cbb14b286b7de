"""What every peer in Python shares: the way to the sink, and the loop that it runs in."""

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
"""So many requests at most, for every peer."""

GAP_SECONDS = (0.02, 0.06)
"""Between jobs that come one at a time; by chance, lest they fall in step with anything."""

Step = Callable[[Order], Coroutine[None, None, None]]


class Sender:
    """Sends bodies to the sink, at most 50 at a time, over connections that are kept."""

    def __init__(self, sink: str) -> None:
        self._sink = sink
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Open the pool of connections; it is also what bounds the requests in flight."""
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
        """Send one body.

        Raises:
            RuntimeError: the sink does not say 201.
        """
        async with self._session.post(self._sink, data=body) as answer:
            if answer.status != HTTPStatus.CREATED:
                raise RuntimeError(f"the sink answers {answer.status}")


async def one_by_one(order: Order, enqueue: Callable[[Payload], Awaitable[object]]) -> None:
    """Enqueue a job when the one before has arrived; prints the moment before each call, its commit included."""
    begun: dict[str, float] = {}
    async with aiohttp.ClientSession() as driver:
        for number, payload in enumerate(order.payloads(), 1):
            begun[payload["job"]] = time.monotonic()
            await enqueue(payload)
            async with driver.get(f"{order.sink}/_sink/until/{number}") as answer:
                await answer.read()
            await asyncio.sleep(random.uniform(*GAP_SECONDS))  # noqa: S311 - chance, not secrecy
    sys.stdout.write(json.dumps(begun) + "\n")


def run(fill: Step, drain: Step, trickle: Step) -> None:
    """Do what the command line says, `fill ORDER`, `drain ORDER` or `trickle ORDER`; draining does not end."""
    step = {"fill": fill, "drain": drain, "trickle": trickle}[sys.argv[1]]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(step(Order.read(Path(sys.argv[2]))))
