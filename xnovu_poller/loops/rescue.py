"""The rescuer: takes over notifications whose lease has lapsed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from xnovu_poller import log, metrics, pacing
from xnovu_poller.errors import TemporalError
from xnovu_poller.lifecycle import Attempt, RunState
from xnovu_poller.loops.starter import Starter, StartRun
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.lapsed import read_lapsed

_log = log.get(__name__)

RESCUE_BATCH = 100
CONCURRENT_ASKS = 10

LEASE_FACTOR = 2
"""A lease this many times as long as ours was written while the database's clock was ahead, or by a replica with another
LEASE_MS; the rescue asks Temporal in both cases, so an open run keeps its row."""

LONGEST_PAUSE_MARGIN = timedelta(minutes=15)
"""A gate or a breaker may add this much to the longest pause after a failure."""

AskRun = Callable[[str], Awaitable[RunState]]
"""Asks Temporal about a run by its id; raises `TemporalError` if Temporal does not answer."""


class Rescuer:
    """Rescues rows whose lease has lapsed, if Temporal no longer has their run.

    Args:
        terms: the terms on which a row is claimed again.
        lease: how long an extended lease lasts from now.
        interval: the pause after a turn that found nothing.
    """

    name = "rescue"

    def __init__(
        self,
        engine: Engine,
        *,
        ask: AskRun,
        start: StartRun,
        terms: Terms,
        lease: timedelta,
        interval: timedelta,
    ) -> None:
        self.interval = interval
        self._engine = engine
        self._ask_temporal = ask
        self._starter = Starter(engine, start)
        self._terms = terms
        self._lease = lease
        self._asking = asyncio.Semaphore(CONCURRENT_ASKS)

    def stop(self) -> None:
        """Start no further run."""
        self._starter.stop()

    async def turn(self) -> timedelta:
        """Rescue one batch.

        If the run is open, its rows keep their attempt and get a longer lease. If the run is gone, a row is released
        if no send has begun; otherwise it is claimed again, because its outcome is unknown. If Temporal does not
        answer, no row changes. Rows that another session has locked wait until it lets them go.

        Returns:
            Zero if there may be more, else the interval.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
            TemporalError: a run could not be started; its claim lapses again.
        """
        recalled = await by_claim.recall(
            self._engine,
            longest_lease=LEASE_FACTOR * self._lease,
            longest_pause=pacing.FAILURE_LONGEST + LONGEST_PAUSE_MARGIN,
        )
        if recalled:
            _log.warning("deadlines were too far ahead", recalled=len(recalled))
        rows = await read_lapsed(self._engine, RESCUE_BATCH)
        if not rows:
            return self.interval
        ids = list(dict.fromkeys(row.run_id for row in rows))
        states = dict(zip(ids, await asyncio.gather(*map(self._ask, ids)), strict=True))
        open_ = [row.attempt for row in rows if states[row.run_id] is RunState.OPEN]
        gone = [row for row in rows if states[row.run_id] is RunState.GONE]
        sending = [row.attempt for row in gone if row.sending]
        if sending:
            # A sender may live, and write its outcome now if the row was locked until a moment ago.
            await asyncio.sleep(2 * pacing.LOCKED_PAUSE[1].total_seconds())
        extended = len(await by_claim.extend_lease(self._engine, open_, self._lease)) if open_ else 0
        rescued = await self._take_over([row.attempt for row in gone if not row.sending], sending)
        metrics.RESCUED.inc(rescued)
        _log.info("leases lapsed", lapsed=len(rows), extended=extended, rescued=rescued)
        return timedelta(0) if extended + rescued and len(rows) == RESCUE_BATCH else self.interval

    async def _take_over(self, unsent: list[Attempt], sending: list[Attempt]) -> int:
        released = await by_claim.release(self._engine, unsent) if unsent else {}
        claims = await by_claim.reclaim(self._engine, sending, self._terms) if sending else []
        if claims:
            await self._starter.hand_off(claims)
        return len(released) + len(claims)

    async def _ask(self, run_id: str) -> RunState:
        async with self._asking:
            if self._starter.stopped:
                return RunState.UNKNOWN
            try:
                return await self._ask_temporal(run_id)
            except TemporalError as error:
                _log.warning("run state unknown", reason=str(error))
                return RunState.UNKNOWN
