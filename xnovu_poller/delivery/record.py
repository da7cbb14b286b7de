"""The last stage: verdicts become arrows, each kind in one statement.

It counts and logs the states that the arrows return, because an arrow may write another state than its verdict
suggests: a retraction that was requested meanwhile turns DEAD into RETRACTED.
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
"""The pauses between two tries while the database is away."""

_ON_THE_LAST_TRY = {Ending.UNKNOWN: Ending.FAILED, Ending.UNFINISHED: Ending.RELEASED}
"""On the last try, nothing can wait for the next."""


class Recorder:
    """Records how deliveries ended.

    It waits for a database that is away: only this process knows Novu's answers, and a hold that just lapses looks
    like a dead sender.

    Args:
        gate: knows whether an unknown outcome is Novu's outage, which does not count.
        max_failures: with this many failures that count, a notification becomes DEAD.
        last: no further try follows, so an unknown outcome is a failed attempt, and an unfinished delivery is
            released.
        until: wait for the database no longer than this, by `time.monotonic`.
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
        """Record the verdicts on a group.

        If the process dies here, the remaining holds lapse, and their notifications are sent again under the same
        transaction ids.

        Returns:
            The states that were written, by notification, and how many notifications are left for the next try. A
            missing notification was late.

        Raises:
            StoreUnavailable: the remaining verdicts are not recorded.
        """
        kinds: dict[Ending, list[Verdict]] = {ending: [] for ending in Ending}
        for verdict in map(self._adjust, verdicts):
            kinds[verdict.ending].append(verdict)
        states: dict[int, Status] = {}
        for ending, arrow in self._arrows.items():
            if kinds[ending]:
                written = await self._write(partial(arrow, kinds[ending]))
                self._report(ending, kinds[ending], written)
                states |= written
        metrics.LATE.inc(len(kinds[Ending.LATE]))
        # Count late writes too: if the answer to a write was lost, its repeat is late, but the row still waits.
        return states, len(kinds[Ending.UNKNOWN]) + len(kinds[Ending.UNFINISHED])

    def _adjust(self, verdict: Verdict) -> Verdict:
        """Adjust a verdict to this try: is it the last, and does a failure count?

        An outage is Novu's fault, so notifications wait until it ends, and it counts against none of them.
        """
        ending = _ON_THE_LAST_TRY.get(verdict.ending, verdict.ending) if self._last else verdict.ending
        if ending is not Ending.FAILED:
            return replace(verdict, ending=ending) if ending is not verdict.ending else verdict
        if not verdict.counted:
            return replace(verdict, ending=ending)
        if self._gate.outage:
            wait = max(self._gate.pause, pacing.failure_pause(1))
            return replace(verdict, ending=ending, counted=False, wait=wait)
        return replace(verdict, ending=ending, wait=pacing.failure_pause(verdict.held.failure_count + 1))

    async def _write(self, arrow: Callable[[], Awaitable[dict[int, Status]]]) -> dict[int, Status]:
        """Carry out an arrow, and try again while the database is away.

        If only the answer to a write was lost, its repeat is late and changes nothing.
        """
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
        """Count and log the states that an arrow wrote."""
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
    """Count and log that a notification became DEAD."""
    metrics.DEAD.labels(code).inc()
    _log.warning("notification dead", notification=notification_id, error=code)
