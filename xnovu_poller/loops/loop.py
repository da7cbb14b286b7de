"""The three polling loops: they claim due rows, hand them off, and return when to look again."""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import TypeVar

from xnovu_poller import metrics
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.lifecycle import Claim
from xnovu_poller.loops.starter import Starter, StartRun
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.backlog import is_held_back
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due

LOOPS = (NEW, SCHEDULED, FAILED)
"""New rows are most of the traffic. Scheduled rows have their own loop, so that a backlog of new rows does not delay
them; so have failed rows, so that they do not crowd out the others."""

BUSY_PAUSE = timedelta(milliseconds=100)
"""The pause while the deployment is full, an enterprise is at its limit, or the gate waits for an answer."""

FEW_PAUSE = timedelta(milliseconds=10)
"""The pause after a claim of few rows: looking for more at once would take CPU from sending them."""

CLAIMS_A_TURN = 10
"""End a turn after this many claims even if rows remain, so that expiry runs and /status shows progress."""

Result = TypeVar("Result")


class PollLoop:
    """One of the three loops; they differ only in their rows and their interval.

    Args:
        due: which rows it claims.
        gate: while it is closed, nothing is claimed.
        interval: the pause after a turn that found nothing.
    """

    def __init__(
        self,
        due: Due,
        engine: Engine,
        gate: Gate,
        *,
        terms: Terms,
        start: StartRun,
        interval: timedelta,
    ) -> None:
        self.name = due.name
        self.interval = interval
        self._due = due
        self._engine = engine
        self._gate = gate
        self._terms = terms
        self._starter = Starter(engine, start)
        self._cursor = Cursor()

    async def turn(self) -> timedelta:
        """Claim batch after batch: the first while rows expire, each further one while the last is handed off.

        If the process dies between claim and handoff, the leases lapse and the rescuer releases the rows.

        Returns:
            Zero or `FEW_PAUSE` if there may be more; otherwise the pause before the next turn.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
            TemporalError: some runs could not be started; their claims, and those of the next batch, are released.
        """
        metrics.GATE_OPEN.set(not self._gate.closed)
        # If a claim races with expiry, `hold` notices that the row has expired.
        expired, claims, pause = await self._claim_during(by_claim.expire(self._engine))
        metrics.EXPIRED.inc(len(expired))
        for _ in range(CLAIMS_A_TURN - 1):
            if len(claims) < self._terms.batch:
                break  # hand a few rows off before looking for more
            _, claims, pause = await self._claim_during(self._starter.hand_off(claims))
        await self._starter.hand_off(claims)
        if not claims:
            return pause
        return FEW_PAUSE if len(claims) < self._terms.batch / 10 else timedelta(0)

    def stop(self) -> None:
        """Start no further run: claims that are not handed off yet are released."""
        self._starter.stop()

    async def _claim(self) -> tuple[list[Claim], timedelta]:
        """Claim one batch; if there is none, return the pause before the next look."""
        if self._starter.stopped:
            return [], self.interval
        limit = self._gate.allowance(self._terms.batch)
        if limit == 0:
            return [], max(self._gate.pause, BUSY_PAUSE)
        terms = self._terms
        claims, self._cursor = await claim(self._engine, self._due, terms, self._cursor, limit=limit)
        if not claims:
            more = await is_held_back(self._engine, self._due, terms.max_in_flight, terms.enterprises)
            return [], BUSY_PAUSE if more else self.interval
        self._gate.spend(len(claims))
        metrics.CLAIMED.labels(self.name).inc(len(claims))
        return claims, timedelta(0)

    async def _claim_during(self, work: Awaitable[Result]) -> tuple[Result, list[Claim], timedelta]:
        """Claim a batch while `work` runs; if `work` fails, release the claims."""
        done, result = await asyncio.gather(work, self._claim(), return_exceptions=True)
        if isinstance(result, BaseException):
            raise result
        claims, pause = result
        if isinstance(done, BaseException):
            await self._starter.release([claimed.attempt for claimed in claims])
            raise done
        return done, claims, pause


def poll_loops(
    engine: Engine, gate: Gate, *, terms: Terms, start: StartRun, intervals: Mapping[str, timedelta]
) -> list[PollLoop]:
    """Build the three loops.

    Args:
        intervals: the pause after a turn that found nothing, by the loop's name.
    """
    return [
        PollLoop(due, engine, gate, terms=terms, start=start, interval=intervals[due.name]) for due in LOOPS
    ]
