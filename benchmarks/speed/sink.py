"""The sink: where every job of every system has to arrive, seen from the driver's side."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from benchmarks.speed import acceptor
from xnovu_poller.dev.children import Child, start_again
from xnovu_poller.dev.ports import LOOPBACK, free_port


class Sink:
    """An HTTP server in a process of its own that answers 201 to every POST, at once.

    A job is known by its id, which the body carries as JSON: `"transactionId":"…"` (ours) or `"job":"…"`
    (everybody else's); each id in a body counts. `/v1/events/trigger` and its `/bulk` are answered as Novu
    does. A request needs a Content-Length.

    Moments are those of `time.monotonic()` (CLOCK_MONOTONIC: Node's `process.hrtime`), one clock for the
    whole machine.

    Args:
        folder: takes its log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._child: Child | None = None
        self._port = 0
        self._driver = httpx.AsyncClient(trust_env=False, timeout=None)  # noqa: S113 - `until` waits for as long as it takes

    @property
    def url(self) -> str:
        """Where to POST to: any path."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._child.pid if self._child else 0

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            ServerFailed: it does not.
        """
        start_again(self._start)

    async def stop(self) -> None:
        """Stop it."""
        await self._driver.aclose()
        if self._child is not None:
            self._child.stop()

    async def reset(self) -> None:
        """Forget all jobs; to be called while nobody sends."""
        await self._driver.delete(f"{self.url}/_sink")

    async def counts(self) -> dict[str, int]:
        """Give how often each job came."""
        counts: dict[str, int] = await self._ask("counts")
        return counts

    async def arrivals(self) -> dict[str, float]:
        """Give the moment at which each job came first."""
        arrivals: dict[str, float] = await self._ask("arrivals")
        return arrivals

    async def until(self, number: int) -> float:
        """Wait until so many different jobs have come since the reset, and give the moment at which they had.

        The sink says when: nothing is polled, and the moment is exact however late it is asked for.
        Bound the wait with `asyncio.timeout`.
        """
        moment: float = await self._ask(f"until/{number}")
        return moment

    async def nameless(self) -> int:
        """Count the POSTs whose body held no id."""
        tally: dict[str, int] = await self._ask("tally")
        return tally["nameless"]

    async def _ask(self, what: str) -> Any:  # noqa: ANN401 - JSON
        return (await self._driver.get(f"{self.url}/_sink/{what}")).raise_for_status().json()

    def _start(self) -> None:
        self._port = free_port()
        self._child = Child("sink", [sys.executable, acceptor.__file__, str(self._port)], folder=self._folder)
        self._child.start()
        self._child.wait_until(self._answers)

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(self.url, trust_env=False, timeout=2).is_success
        return False
