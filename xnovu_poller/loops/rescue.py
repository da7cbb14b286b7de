"""The loop of the notifications that failed, and the rescue of those whose holder is gone."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from xnovu_poller import log, metrics
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import HandoffError
from xnovu_poller.lifecycle import Work
from xnovu_poller.loops.loop import Handing, PollLoop, StartWorkflow
from xnovu_poller.store import reads
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.by_claim import Terms
from xnovu_poller.store.notifications.due import FAILED

_log = log.get(__name__)

RESCUED_AT_ONCE = 100
ASKED_AT_ONCE = 10

IsOpen = Callable[[str], Awaitable[bool]]
"""Asks whether a workflow, by id, is still open; raises `HandoffError` where nothing is known."""


def failed_loop(
    engine: Engine, gate: Gate, *, terms: Terms, start: StartWorkflow, interval: timedelta
) -> PollLoop:
    """Make the loop of FAILED rows: apart, so that no number of bad ones crowds out the fresh."""
    return PollLoop(FAILED, engine, gate, terms=terms, start=start, interval=interval)


class Rescue:
    """Takes care of rows whose lease has lapsed: asks Temporal what became of their workflow.

    Args:
        engine: where the rows are.
        is_open: asks Temporal.
        start: starts a workflow.
        terms: on which a row is claimed anew.
        lease: by how much a lease is extended.
        interval: the rest after a turn that found nothing.
    """

    name = "rescue"

    def __init__(
        self,
        engine: Engine,
        *,
        is_open: IsOpen,
        start: StartWorkflow,
        terms: Terms,
        lease: timedelta,
        interval: timedelta,
    ) -> None:
        self.interval = interval
        self._engine = engine
        self._is_open = is_open
        self._handing = Handing(engine, start)
        self._terms = terms
        self._lease = lease
        self._asking = asyncio.Semaphore(ASKED_AT_ONCE)

    def stop(self) -> None:
        """Start no further workflow."""
        self._handing.stop()

    async def turn(self) -> timedelta:
        """Rescue one batch.

        A workflow that is open keeps its rows, `attempt` unchanged. If it is gone, rows on which no
        send has begun are given back; a begun one is claimed anew, for its outcome is unknown. Where
        Temporal gives no answer, nothing is touched.

        Returns:
            Zero if there may be more, else the interval.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
            HandoffError: a workflow could not be started; its claim lapses again.
        """
        rows = await reads.lapsed(self._engine, RESCUED_AT_ONCE)
        if not rows:
            return self.interval
        ids = list(dict.fromkeys(row.temporal_workflow_id for row in rows))
        fates = dict(zip(ids, await asyncio.gather(*map(self._ask, ids)), strict=True))
        kept = [row.work for row in rows if fates[row.temporal_workflow_id] is True]
        lost = [row for row in rows if fates[row.temporal_workflow_id] is False]
        extended = len(await by_claim.extend(self._engine, kept, self._lease)) if kept else 0
        rescued = await self._take_over(
            [row.work for row in lost if not row.sending], [row.work for row in lost if row.sending]
        )
        metrics.RESCUED.inc(rescued)
        _log.info("leases lapsed", lapsed=len(rows), extended=extended, rescued=rescued)
        return timedelta(0) if extended + rescued and len(rows) == RESCUED_AT_ONCE else self.interval

    async def _take_over(self, idle: list[Work], begun: list[Work]) -> int:
        released = await by_claim.release(self._engine, idle) if idle else set()
        claims = await by_claim.renew(self._engine, begun, self._terms) if begun else []
        if claims:
            await self._handing.hand_off(claims)
        return len(released) + len(claims)

    async def _ask(self, workflow_id: str) -> bool | None:
        """Ask for one workflow; None where nothing is known."""
        async with self._asking:
            if self._handing.stopped:
                return None
            try:
                return await self._is_open(workflow_id)
            except HandoffError as error:
                _log.warning("workflow not known", reason=str(error))
                return None
