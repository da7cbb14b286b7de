"""Write how this worker is into the database, where the operator's page reads it: no page asks workers over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from xnovu_poller import log, metrics
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import StoreError
from xnovu_poller.metrics.counts import count_done
from xnovu_poller.store import worker_reports
from xnovu_poller.store.engine import Engine

_log = log.get(__name__)

Examine = Callable[[], Awaitable[Mapping[str, Any]]]

EVERY_SECONDS = 15.0
"""The time between two reports."""

_BREAKERS = 20
"""A report has this many open breakers at most."""


class Reporter:
    """Reports until it is cancelled; what could not be written, the next report has.

    Args:
        engine: the connections of rules and chores.
        examine: returns the answer of /health, for which Novu may be asked.
        recall: returns the same without Novu, for the first report, before which nobody has called Novu, and the last.
        counted: the counters of this process and its children, which begin at 0.
    """

    def __init__(
        self,
        engine: Engine,
        examine: Examine,
        recall: Examine,
        gate: Gate,
        counted: metrics.Source,
    ) -> None:
        self._engine = engine
        self._examine = examine
        self._recall = recall
        self._gate = gate
        self._counted = counted
        self._reported: Mapping[str, int] = {}

    async def run(self) -> None:
        """Report every EVERY_SECONDS."""
        examine = self._recall
        while True:
            try:
                await self.report(examine)
            except StoreError as error:
                # /health and the loops show it.
                _log.debug("worker not reported", reason=str(error))
            examine = self._examine
            await asyncio.sleep(EVERY_SECONDS)

    async def report(self, examine: Examine) -> None:
        """Report once.

        Raises:
            StoreUnavailable: it may not have been written.
            StoreLocked: nothing was written.
        """
        health = await examine()
        done = await self._count()
        grown = {kind: total - self._reported.get(kind, 0) for kind, total in done.items()}
        gate = {**self._gate.status(), "breakers": self._gate.breaker.describe(_BREAKERS)}
        await worker_reports.report(self._engine, health, gate, grown)
        self._reported = done

    async def _count(self) -> Mapping[str, int]:
        # In a thread: with children it reads their files.
        return await asyncio.to_thread(count_done, self._counted)

    async def withdraw(self) -> None:
        """Report a last time, then delete the report, so that nobody takes this worker for lost."""
        try:
            await self.report(self._recall)
            await worker_reports.withdraw(self._engine)
        except StoreError as error:
            _log.debug("worker's report not withdrawn", reason=str(error))

    async def withdraw_again(self) -> None:
        """Count the work that a stop has finished since the report was withdrawn, if there is any."""
        if await self._count() != self._reported:
            await self.withdraw()
