"""The last stage: verdicts become arrows, each kind in one statement.

What is counted and logged is the state that came back, for an arrow may write another one than its verdict
suggests: a retraction that was asked for meanwhile turns DEAD into RETRACTED.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from xnovu_poller import log, metrics, pacing
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.lifecycle import Status
from xnovu_poller.pacing import Backoff
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_hold
from xnovu_poller.store.notifications.verdict import Ending, Verdict

_log = log.get(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(milliseconds=100), timedelta(seconds=5)
"""Between two tries to reach a database that does not answer."""

_ON_THE_LAST_TRY = {Ending.UNKNOWN: Ending.FAILED, Ending.UNFINISHED: Ending.RELEASED}
"""What waits for the next try must not wait for one that does not come."""


class Recorder:
    """Writes down how notifications ended.

    A database that is away is waited for: only this process knows Novu's answers, and a row whose hold
    nobody ends looks as if its sender had died.

    Args:
        engine: where the rows are.
        gate: knows whether an unknown outcome is an outage, which does not count.
        max_failures: counted failures before DEAD.
        last: no try of this attempt follows, so an unknown outcome is a failed attempt, and what time did
            not suffice for is released.
        until: the database is waited for no longer, by `time.monotonic`.
    """

    def __init__(self, engine: Engine, gate: Gate, *, max_failures: int, last: bool, until: float) -> None:
        self._gate = gate
        self._last = last
        self._until = until
        self._arrows: dict[Ending, Callable[[Sequence[Verdict]], Awaitable[dict[int, Status]]]] = {
            Ending.SENT: partial(by_hold.record_sent, engine),
            Ending.DEAD: partial(by_hold.record_dead, engine),
            Ending.RETRACTED: partial(by_hold.record_retracted, engine),
            Ending.RELEASED: partial(by_hold.release_held, engine),
            Ending.FAILED: partial(by_hold.record_failed, engine, max_failures=max_failures),
            Ending.UNKNOWN: partial(by_hold.record_unknown, engine),
            Ending.UNFINISHED: partial(by_hold.clear_hold, engine),
        }

    async def record(self, verdicts: Sequence[Verdict]) -> tuple[dict[int, Status], int]:
        """Write down the verdicts of a group.

        If the process dies before or within, the holds of the rest lapse, and they are sent again
        under the same transaction ids.

        Returns:
            The states that were written, by notification; those that are missing were late. And how many
            notifications are left to the next try.

        Raises:
            StoreUnavailable: the rest is not recorded.
        """
        kinds: dict[Ending, list[Verdict]] = {ending: [] for ending in Ending}
        for verdict in map(self._weigh, verdicts):
            kinds[verdict.ending].append(verdict)
        states: dict[int, Status] = {}
        for ending, arrow in self._arrows.items():
            if kinds[ending]:
                written = await self._insist(partial(arrow, kinds[ending]))
                self._report(ending, kinds[ending], written)
                states |= written
        metrics.LATE.inc(len(kinds[Ending.LATE]))
        # Whether written or late: if the answer to a write was lost, its repeat is late, and the row still waits.
        return states, len(kinds[Ending.UNKNOWN]) + len(kinds[Ending.UNFINISHED])

    def _weigh(self, verdict: Verdict) -> Verdict:
        """Judge by what else is known: whether another try follows, and whether a failure counts.

        An outage is Novu's fault: the notifications wait it out and nothing counts against them.
        """
        ending = _ON_THE_LAST_TRY.get(verdict.ending, verdict.ending) if self._last else verdict.ending
        if ending is not Ending.FAILED:
            return replace(verdict, ending=ending) if ending is not verdict.ending else verdict
        if verdict.turned_away:
            return replace(verdict, ending=ending, counted=False)
        if self._gate.outage:
            wait = max(self._gate.pause, pacing.failure_pause(1))
            return replace(verdict, ending=ending, counted=False, wait=wait)
        return replace(verdict, ending=ending, wait=pacing.failure_pause(verdict.held.failure_count + 1))

    async def _insist(self, arrow: Callable[[], Awaitable[dict[int, Status]]]) -> dict[int, Status]:
        """Carry out an arrow, again if the database is away; a write whose answer was lost finds itself late."""
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                return await arrow()
            except StoreUnavailable:
                pause = backoff.next().total_seconds()
                if time.monotonic() + pause > self._until:
                    raise
            await asyncio.sleep(pause)

    def _report(self, ending: Ending, verdicts: Sequence[Verdict], written: Mapping[int, Status]) -> None:
        """Count and log what was written by one arrow."""
        metrics.LATE.inc(len(verdicts) - len(written))
        now = datetime.now(UTC)
        for verdict in verdicts:
            id_ = verdict.hold.notification_id
            if id_ in written:
                _report_state(verdict, id_, written[id_], now)
        if ending is Ending.SENT:
            metrics.SENT.inc(len(written))
            _log.info("notifications sent", sent=len(written), late=len(verdicts) - len(written))
        if ending is Ending.RELEASED:
            metrics.RELEASED.inc(len(written))
            _log.info("notifications released", released=len(written), reason=self._gate.reason)


def _report_state(verdict: Verdict, id_: int, state: Status, now: datetime) -> None:
    if verdict.ending is Ending.FAILED:
        _log.warning("attempt failed", notification=id_, error=verdict.code, counted=verdict.counted)
        metrics.TURNED_AWAY.inc(verdict.turned_away)
        if verdict.counted:
            metrics.FAILED.labels(verdict.code).inc()
    match state:
        case Status.SENT:
            metrics.DUE_TO_ACCEPTED_SECONDS.observe(max(0.0, (now - verdict.held.due_at).total_seconds()))
        case Status.DEAD:
            report_dead(id_, verdict.code)
        case Status.RETRACTED:
            (metrics.EXPIRED if verdict.reason == "expired" else metrics.RETRACTED).inc()
            _log.info("notification retracted", notification=id_, reason=verdict.reason)
        case _:
            pass


def report_dead(notification_id: int, code: str) -> None:
    """Count and log that a notification was given up."""
    metrics.DEAD.labels(code).inc()
    _log.warning("notification dead", notification=notification_id, error=code)
