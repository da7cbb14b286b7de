"""The last stage: verdicts become arrows, each kind in one statement."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import product

from xnovu_poller import log, metrics, pacing
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.trigger import Ending, Verdict
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.lifecycle import ErrorDetails, seconds
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_hold
from xnovu_poller.store.notifications.by_hold import Failure

_log = log.get(__name__)
_NO_FAULT = ErrorDetails("none", "")

_FIRST_REST, _LONGEST_REST = 0.1, 5.0
"""Seconds between two tries to reach a database that is away."""

_ON_THE_LAST_TRY = {Ending.UNKNOWN: Ending.FAILED, Ending.UNFINISHED: Ending.RELEASED}
"""What waits for the next try must not wait for one that does not come."""


class Recorder:
    """Writes down how notifications ended.

    A database that is away is waited for: Novu's answers are known here alone, and a row whose hold
    nobody ends looks as if its sender had died.

    Args:
        engine: where the rows are.
        gate: says whether an unknown outcome is an outage, which does not count.
        max_failures: counted failures before DEAD.
        until: the database is waited for no longer, by `time.monotonic`.
    """

    def __init__(self, engine: Engine, gate: Gate, max_failures: int, until: float) -> None:
        self._engine = engine
        self._gate = gate
        self._max_failures = max_failures
        self._until = until

    async def record(self, verdicts: Sequence[Verdict], *, last: bool) -> list[Ending]:
        """Write down the verdicts of a group.

        If the process dies before or within, the holds of the rest lapse, and they are sent again
        under the same transaction ids.

        Args:
            verdicts: one for each notification.
            last: no try of this attempt follows, so an unknown outcome is a failed attempt, and what
                time did not suffice for is released.

        Returns:
            How each was recorded, in no order; UNKNOWN and UNFINISHED are left to the next try.

        Raises:
            StoreUnavailable: the rest is not recorded.
        """
        kinds: dict[Ending, list[Verdict]] = {ending: [] for ending in Ending}
        for verdict in verdicts:
            ending = _ON_THE_LAST_TRY.get(verdict.ending, verdict.ending) if last else verdict.ending
            kinds[ending].append(verdict)
        await self._sent(kinds[Ending.SENT])
        await self._dead(kinds[Ending.DEAD])
        await self._released(kinds[Ending.RELEASED])
        await self._failed(kinds[Ending.FAILED])
        if unknown := kinds[Ending.UNKNOWN]:
            faults = [(v.held.hold, v.fault or _NO_FAULT) for v in unknown]
            await self._insist(lambda: by_hold.unknown(self._engine, faults))
        if unfinished := kinds[Ending.UNFINISHED]:
            holds = [v.held.hold for v in unfinished]
            await self._insist(lambda: by_hold.let_go(self._engine, holds))
        metrics.LATE.inc(len(kinds[Ending.LATE]))
        return [ending for ending, found in kinds.items() for _ in found]

    async def _sent(self, verdicts: Sequence[Verdict]) -> None:
        if not verdicts:
            return
        holds = [v.held.hold for v in verdicts]
        moved = await self._insist(lambda: by_hold.sent(self._engine, holds))
        now = datetime.now(UTC)
        for verdict in verdicts:
            if verdict.held.hold.notification_id in moved:
                metrics.DUE_TO_ACCEPTED_SECONDS.observe(max(0.0, seconds(now - verdict.held.due_at)))
        metrics.SENT.inc(len(moved))
        metrics.LATE.inc(len(verdicts) - len(moved))
        _log.info("notifications sent", sent=len(moved), late=len(verdicts) - len(moved))

    async def _dead(self, verdicts: Sequence[Verdict]) -> None:
        for refused in (False, True):
            faults = [(v.held.hold, v.fault or _NO_FAULT) for v in verdicts if v.refused is refused]
            if not faults:
                continue
            moved = await self._insist(partial(by_hold.dead, self._engine, faults, refused=refused))
            for hold, fault in faults:
                if hold.notification_id in moved:
                    metrics.DEAD.labels(fault.code).inc()
                    _log.warning("notification dead", notification=hold.notification_id, error=fault.code)

    async def _released(self, verdicts: Sequence[Verdict]) -> None:
        for refused, unknown in product((False, True), repeat=2):
            holds = [v.held.hold for v in verdicts if (v.refused, v.unknown) == (refused, unknown)]
            if holds:
                moved = await self._insist(
                    partial(by_hold.release_held, self._engine, holds, refused=refused, unknown=unknown)
                )
                metrics.RELEASED.inc(len(moved))
                _log.info("notifications released", released=len(moved), reason=self._gate.reason)

    async def _failed(self, verdicts: Sequence[Verdict]) -> None:
        """An outage is Novu's fault: the notifications wait it out and nothing counts against them."""
        if not verdicts:
            return
        failures = [self._failure(verdict) for verdict in verdicts]
        moved = await self._insist(
            lambda: by_hold.failed(self._engine, failures, max_failures=self._max_failures)
        )
        for verdict, failure in zip(verdicts, failures, strict=True):
            id_, code = failure.hold.notification_id, failure.fault.code
            if id_ not in moved:
                continue
            _log.warning("attempt failed", notification=id_, error=code, counted=failure.counted)
            metrics.TURNED_AWAY.inc(verdict.turned_away is not None)
            if failure.counted:
                metrics.FAILED.labels(code).inc()
            if failure.counted and verdict.held.failure_count + 1 >= self._max_failures:
                metrics.DEAD.labels(code).inc()
                _log.warning("notification dead", notification=id_, error=code)

    def _failure(self, verdict: Verdict) -> Failure:
        counted = verdict.turned_away is None and not self._gate.outage
        wait = verdict.turned_away or max(self._gate.pause, pacing.failure_pause(1))
        return Failure(
            verdict.held.hold,
            verdict.fault or _NO_FAULT,
            pacing.failure_pause(verdict.held.failure_count + 1) if counted else wait,
            counted=counted,
            unknown=verdict.unknown,
            refused=verdict.refused,
            withdrawn=verdict.held.withdrawn,
        )

    async def _insist(self, arrow: Callable[[], Awaitable[set[int]]]) -> set[int]:
        """Carry out an arrow, again if the database is away; what was written unheard finds itself late."""
        rest = _FIRST_REST
        while True:
            try:
                return await arrow()
            except StoreUnavailable:
                if time.monotonic() + rest > self._until:
                    raise
            await asyncio.sleep(rest)
            rest = min(2 * rest, _LONGEST_REST)
