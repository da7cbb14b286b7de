"""The last stage: verdicts become arrows, each kind in one statement.

It counts and logs the states that the arrows return, because an arrow may write another state than its verdict
suggests: a retraction that was requested meanwhile turns DEAD into RETRACTED.

A row that another session has locked cannot be written. Only this process knows its outcome, so the verdict is kept
for as long as the process lives, and written when the lock is gone; nobody waits for it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from xnovu_poller import log, metrics, pacing
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import StoreUnavailable, XnovuError
from xnovu_poller.lifecycle import Origin, Status
from xnovu_poller.pacing import Backoff, wait_for_event
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_hold
from xnovu_poller.store.notifications.arrow import read_rightful
from xnovu_poller.store.notifications.verdict import Ending, Verdict
from xnovu_poller.tracing import TRACING

_log = log.get(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(milliseconds=100), timedelta(seconds=5)
"""The pauses between two tries while the database is away."""

_LAST_TRY = timedelta(seconds=2)
"""How long the end of the process waits for the last try to write the kept verdicts."""

_MOST_DOUBLINGS = 4
"""A failure that counts against nobody is put off for at most 80 s."""

_ON_THE_LAST_TRY = {Ending.UNKNOWN: Ending.FAILED, Ending.UNFINISHED: Ending.RELEASED}
"""On the last try, nothing can wait for the next."""


class VerdictWriter:
    """Writes the verdicts of a process, and keeps those whose rows another session has locked.

    If the process dies, the holds of the kept verdicts lapse, and their notifications are sent again under the same
    transaction ids.

    Args:
        max_failures: with this many failures that count, a notification becomes DEAD.
    """

    def __init__(self, engine: Engine, gate: Gate, *, max_failures: int) -> None:
        self._engine = engine
        self._gate = gate
        self._kept: dict[Ending, list[Verdict]] = {}
        self._closing = asyncio.Event()
        self._writing_kept: asyncio.Task[None] | None = None
        self._arrows: dict[Ending, Callable[[Sequence[Verdict]], Awaitable[dict[int, Status]]]] = {
            Ending.SENT: partial(by_hold.record_sent, engine),
            Ending.DEAD: partial(by_hold.record_dead, engine),
            Ending.RETRACTED: partial(by_hold.record_retracted, engine),
            Ending.RELEASED: partial(by_hold.release_held, engine),
            Ending.FAILED: partial(by_hold.record_failed, engine, max_failures=max_failures),
            Ending.UNKNOWN: partial(by_hold.record_unknown, engine),
            Ending.UNFINISHED: partial(by_hold.clear_hold, engine),
        }

    async def write(self, ending: Ending, verdicts: Sequence[Verdict]) -> dict[int, Status]:
        """Carry out an arrow, and report what it wrote; keep the verdicts whose rows are locked.

        Raises:
            StoreUnavailable: nothing may have been written.
        """
        written = await self._arrows[ending](verdicts)
        skipped = [verdict for verdict in verdicts if verdict.hold.notification_id not in written]
        locked = await self._find_locked(skipped) if skipped else set()
        self._report(ending, [v for v in verdicts if v.hold.notification_id not in locked], written)
        self._keep(ending, [v for v in skipped if v.hold.notification_id in locked])
        return written

    async def aclose(self) -> None:
        """Try once more to write the kept verdicts. The holds of those that stay locked lapse."""
        self._closing.set()
        if self._writing_kept is not None:
            await asyncio.wait([self._writing_kept], timeout=_LAST_TRY.total_seconds())
            self._writing_kept.cancel()
            await asyncio.wait([self._writing_kept], timeout=_LAST_TRY.total_seconds())
        if self._kept:
            _log.warning("outcomes not recorded", locked=sum(map(len, self._kept.values())))

    async def _find_locked(self, skipped: Sequence[Verdict]) -> set[int]:
        """Return which rows are locked; if PostgreSQL does not answer, all of them may be."""
        try:
            return await read_rightful(self._engine, [verdict.hold for verdict in skipped])
        except StoreUnavailable:
            return {verdict.hold.notification_id for verdict in skipped}

    def _keep(self, ending: Ending, verdicts: Sequence[Verdict]) -> None:
        if not verdicts:
            return
        # The content has been sent: keep only what the arrow and the report need.
        self._kept.setdefault(ending, []).extend(
            replace(verdict, held=replace(verdict.held, payload=b"{}", recipients=[], overrides=None))
            for verdict in verdicts
        )
        if not self._closing.is_set() and (self._writing_kept is None or self._writing_kept.done()):
            _log.warning("outcomes wait for locked rows", locked=len(verdicts))
            self._writing_kept = asyncio.create_task(self._write_until_none_kept(), name="kept verdicts")

    async def _write_until_none_kept(self) -> None:
        backoff = Backoff(*pacing.LOCKED_PAUSE)
        while self._kept and not self._closing.is_set():
            await wait_for_event(self._closing, backoff.next().total_seconds())
            for ending in list(self._kept):
                await self._write_kept(ending)

    async def _write_kept(self, ending: Ending) -> None:
        """Try to write the kept verdicts of a kind once; keep those that could not be written."""
        verdicts = self._kept.pop(ending)
        try:
            await self.write(ending, verdicts)
        except BaseException as error:
            # Cancelled or not, only this process knows these outcomes.
            self._keep(ending, verdicts)
            if not isinstance(error, Exception):
                raise
            if not isinstance(error, StoreUnavailable):
                # A bug in one kind must not lose the others.
                log.bug(_log, "outcomes not recorded", error)

    def _report(self, ending: Ending, verdicts: Sequence[Verdict], written: Mapping[int, Status]) -> None:
        """Count and log the states that an arrow wrote."""
        metrics.LATE.inc(len(verdicts) - len(written))
        log.each_step(_log, "outcome recorded", (_describe(verdict, written) for verdict in verdicts))
        now = datetime.now(UTC)
        for verdict in verdicts:
            id_ = verdict.hold.notification_id
            if id_ in written:
                _report_state(verdict, written[id_], now)
        if ending is Ending.SENT:
            metrics.SENT.inc(len(written))
            _log.info("notifications sent", sent=len(written), late=len(verdicts) - len(written))
        if ending is Ending.RELEASED:
            metrics.RELEASED.inc(len(written))
            _log.info("notifications released", released=len(written), reason=self._gate.reason)


class Recorder:
    """Records how the deliveries of a group ended.

    It waits for a database that is away: only this process knows Novu's answers, and a hold that just lapses looks
    like a dead sender.

    Args:
        gate: knows whether a failure is Novu's fault, or ours, which does not count.
        last: no further try follows, so an unknown outcome is a failed attempt, and an unfinished delivery is
            released.
        until: wait for the database no longer than this, by `time.monotonic`.

    Attributes:
        codes: the codes of the errors so far, by notification.
    """

    def __init__(self, writer: VerdictWriter, gate: Gate, *, last: bool, until: float) -> None:
        self._writer = writer
        self._gate = gate
        self._last = last
        self._until = until
        self.codes: dict[int, str] = {}

    async def record(self, verdicts: Sequence[Verdict]) -> tuple[dict[int, Status], int]:
        """Record the verdicts on a group.

        If the process dies here, the remaining holds lapse, and their notifications are sent again under the same
        transaction ids.

        Returns:
            The states that were written, by notification, and how many notifications are left for the next try. A
            missing notification was late, or is locked and will be recorded later.

        Raises:
            StoreUnavailable: the remaining verdicts are not recorded.
        """
        for verdict in verdicts:
            if verdict.code == XnovuError.code:
                self._report_bug(verdict)
        kinds: dict[Ending, list[Verdict]] = {ending: [] for ending in Ending}
        for verdict in map(self._adjust, verdicts):
            kinds[verdict.ending].append(verdict)
        self.codes |= {each.hold.notification_id: each.code for each in verdicts if each.error is not None}
        states: dict[int, Status] = {}
        metrics.LATE.inc(len(kinds.pop(Ending.LATE)))
        for ending, of_kind in kinds.items():
            if of_kind:
                states |= await self._write(ending, of_kind)
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
        charged = not verdict.disputed or self._gate.suspects.blame(verdict.held.transaction_id)
        if self._gate.outage or not charged:
            # The more often it was refused, the longer others go first; but not for long once Novu serves again.
            refusals = min(verdict.held.refusals, _MOST_DOUBLINGS) if verdict.disputed else 1
            wait = max(self._gate.pause, pacing.failure_pause(refusals), verdict.wait)
            return replace(verdict, ending=ending, counted=False, wait=wait)
        wait = max(verdict.wait, pacing.failure_pause(verdict.held.failure_count + 1))
        return replace(verdict, ending=ending, wait=wait)

    def _report_bug(self, verdict: Verdict) -> None:
        """Let the gate know of a bug: if every notification meets it, it is the fault of none."""
        held = verdict.held
        origin = Origin(held.enterprise_id, str(held.workflow_id), held.transaction_id)
        self._gate.miss(origin, bug=None if verdict.error is None else verdict.error.message)

    async def _write(self, ending: Ending, verdicts: Sequence[Verdict]) -> dict[int, Status]:
        """Carry out an arrow, and try again while the database is away.

        If only the answer to a write was lost, its repeat is late and changes nothing.
        """
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                return await self._writer.write(ending, verdicts)
            except StoreUnavailable:
                pause = backoff.next().total_seconds()
                if time.monotonic() + pause > self._until:
                    raise
            await asyncio.sleep(pause)


def _describe(verdict: Verdict, written: Mapping[int, Status]) -> dict[str, object]:
    """Return the facts of a notification and its new state; a late write has none."""
    state = written.get(verdict.hold.notification_id)
    error = None if verdict.error is None else verdict.error.code
    return {**verdict.held.facts, "ending": verdict.ending.name.lower(), "state": state, "error": error}


def _report_state(verdict: Verdict, state: Status, now: datetime) -> None:
    if verdict.ending is Ending.FAILED:
        _log.warning("attempt failed", **verdict.held.facts, error=verdict.code, counted=verdict.counted)
        metrics.TURNED_AWAY.inc(verdict.turned_away)
        if verdict.counted:
            metrics.FAILED.labels(verdict.code).inc()
    failed = state in {Status.FAILED, Status.DEAD}
    TRACING.settle(verdict.held.transaction_id, state.value.lower(), failed=failed)
    match state:
        case Status.SENT:
            metrics.DUE_TO_ACCEPTED_SECONDS.observe(max(0.0, (now - verdict.held.due_at).total_seconds()))
        case Status.DEAD:
            report_dead(verdict.held.facts, verdict.code)
        case Status.RETRACTED:
            (metrics.EXPIRED if verdict.reason == "expired" else metrics.RETRACTED).inc()
            _log.info("notification retracted", **verdict.held.facts, reason=verdict.reason)
        case _:
            pass


def report_dead(facts: Mapping[str, object], code: str) -> None:
    """Count and log that a notification became DEAD."""
    metrics.DEAD.labels(code).inc()
    _log.warning("notification dead", **facts, error=code)
