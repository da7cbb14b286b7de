"""The sink, at which every job of every system must arrive: the driver's side."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from benchmarks.speed import acceptor
from xnovu_poller.dev.children import Child, start_again
from xnovu_poller.dev.ports import LOOPBACK, free_port


class Sink:
    """An HTTP server in a separate process that answers 201 to every POST, at once.

    It knows a job by its id in the JSON of the body: `"transactionId":"…"` (ours) or `"job":"…"` (all others). Each id in
    a body counts. It answers `/v1/events/trigger` and its `/bulk` as Novu does. A request needs a Content-Length.

    Moments are those of `time.monotonic()` (CLOCK_MONOTONIC: Node's `process.hrtime`), the same clock for the whole
    machine.

    Args:
        folder: for its log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._child: Child | None = None
        self._port = 0
        self._driver = httpx.AsyncClient(trust_env=False, timeout=None)  # noqa: S113 - `until` waits as long as it takes

    @property
    def url(self) -> str:
        """The URL for POSTs, with any path."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int:
        """The id of its process, or 0."""
        return self._child.pid if self._child else 0

    def start(self) -> None:
        """Start the server, and wait until it answers.

        Raises:
            ServerFailed: it does not answer.
        """
        start_again(self._start)

    async def stop(self) -> None:
        """Stop the server."""
        await self._driver.aclose()
        if self._child is not None:
            self._child.stop()

    async def reset(self) -> None:
        """Forget all jobs; call it while nobody sends."""
        await self._driver.delete(f"{self.url}/_sink")

    async def counts(self) -> dict[str, int]:
        """Return how often each job arrived."""
        counts: dict[str, int] = await self._ask("counts")
        return counts

    async def arrivals(self) -> dict[str, float]:
        """Return the moment at which each job first arrived."""
        arrivals: dict[str, float] = await self._ask("arrivals")
        return arrivals

    async def until(self, number: int) -> float:
        """Wait until this number of different jobs has arrived since the reset; return the moment of the last of them.

        The sink records the moment, so it is exact even if you ask late. Bound the wait with `asyncio.timeout`.
        """
        moment: float = await self._ask(f"until/{number}")
        return moment

    async def nameless(self) -> int:
        """Count the POSTs whose body had no id."""
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
