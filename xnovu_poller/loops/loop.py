"""The three polling loops: they claim due rows, hand them off, and return when to look again."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from xnovu_poller import log, metrics
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.lifecycle import Claim
from xnovu_poller.loops.starter import Starter, StartRun
from xnovu_poller.metrics.enterprises import BUSY
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.backlog import look_at_queue
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW, SCHEDULED, Due
from xnovu_poller.store.notifications.queue import Queue

_log = log.get(__name__)

LOOPS = (NEW, SCHEDULED, FAILED)
"""New rows are most of the traffic. Scheduled rows have their own loop, so that a backlog of new rows does not delay
them; so have failed rows, so that they do not crowd out the others."""

BUSY_PAUSE = timedelta(milliseconds=100)
"""The pause while due rows wait because the deployment or its queue is half full or an enterprise is at its limit, and while
the gate waits for an answer."""

FEW_PAUSE = timedelta(milliseconds=10)
"""The pause after a claim of few rows: looking for more at once would take CPU from sending them."""

CLAIMS_A_TURN = 10
"""End a turn after this many claims even if rows remain, so that expiry runs and /status shows progress."""

EXPIRY_PAUSE = timedelta(seconds=1)
"""The pause after a look for rows to expire that found none; a wake-up turns two loops several times within a second."""


class PollLoop:
    """One of the three loops; they differ only in their rows and their interval.

    Args:
        due: which rows it claims.
        gate: while it is closed, nothing is claimed.
        interval: the pause after a turn that found nothing.

    Attributes:
        claimed: how many notifications it has claimed.
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
        self.claimed = 0
        self._due = due
        self._engine = engine
        self._gate = gate
        self._terms = terms
        self._starter = Starter(engine, start)
        self._cursor = Cursor(queue=Queue.with_groups_of(terms.group_size))
        self._expires_again_at = 0.0

    async def turn(self) -> timedelta:
        """Claim batch after batch, each further one while the last is handed off; rows expire during the last handoff.

        If the process dies between claim and handoff, the leases lapse and the rescuer releases the rows.

        Returns:
            Zero or `FEW_PAUSE` if there may be more; otherwise the pause before the next turn.

        Raises:
            StoreUnavailable: PostgreSQL does not answer.
            TemporalError: some runs could not be started; their claims, and those of the next batch, are released.
        """
        claims, pause = await self._claim()
        for _ in range(CLAIMS_A_TURN - 1):
            if len(claims) < self._terms.batch:
                break  # hand a few rows off before looking for more
            claims, pause = await self._claim_during_handoff(claims)
        # If a claim races with expiry, `hold` notices that the row has expired.
        for result in await asyncio.gather(
            self._starter.hand_off(claims), self._expire(), return_exceptions=True
        ):
            if result is not None:
                raise result
        if not claims:
            return pause
        return FEW_PAUSE if len(claims) < self._terms.batch / 10 else timedelta(0)

    async def _expire(self) -> None:
        """Expire rows, unless there were none a moment ago."""
        if time.monotonic() < self._expires_again_at:
            return
        expired = await by_claim.expire(self._engine)
        metrics.EXPIRED.inc(len(expired))
        if expired:
            _log.debug("notifications expired", expired=len(expired), notifications=log.first_of(expired))
        else:
            self._expires_again_at = time.monotonic() + EXPIRY_PAUSE.total_seconds()

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
            return [], await self._rest()
        self._gate.spend(len(claims))
        self.claimed += len(claims)
        metrics.CLAIMED.labels(self.name).inc(len(claims))
        BUSY.count(claimed.enterprise_id for claimed in claims)
        for enterprise in self._cursor.braked:
            metrics.BRAKED.inc()
            _log.warning("enterprise paused by its brake", enterprise=enterprise, loop=self.name)
        log.each_step(_log, "notification claimed", (claimed.facts for claimed in claims), loop=self.name)
        return claims, timedelta(0)

    async def _rest(self) -> timedelta:
        """Return the pause after a claim that got nothing."""
        queue, terms = self._cursor.queue, self._terms
        held_back = await look_at_queue(
            self._engine,
            self._due,
            queue,
            max_in_flight=terms.max_in_flight,
            enterprises=terms.enterprises,
        )
        self._cursor = replace(self._cursor, queue=held_back or queue.idle())
        return BUSY_PAUSE if held_back else self.interval

    async def _claim_during_handoff(self, claims: list[Claim]) -> tuple[list[Claim], timedelta]:
        """Claim the next batch while these are handed off; if the handoff fails, release the next batch."""
        failure, result = await asyncio.gather(
            self._starter.hand_off(claims), self._claim(), return_exceptions=True
        )
        if isinstance(result, BaseException):
            raise result
        if failure is not None:
            await self._starter.release([claimed.attempt for claimed in result[0]])
            raise failure
        return result


def poll_loops(
    engine: Engine, gate: Gate, *, terms: Terms, start: StartRun, intervals: Mapping[str, timedelta]
) -> list[PollLoop]:
    """Build the loops that have an interval.

    Args:
        intervals: the pause after a turn that found nothing, by the loop's name.
    """
    return [
        PollLoop(due, engine, gate, terms=terms, start=start, interval=intervals[due.name])
        for due in LOOPS
        if due.name in intervals
    ]
