"""The delivery of a group: hold → validate → render → trigger → record."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from xnovu_poller import log, metrics, pacing
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.bytes_in_flight import BytesInFlight, room_for
from xnovu_poller.delivery.prepare import Preparation
from xnovu_poller.delivery.record import Recorder, VerdictWriter, report_dead
from xnovu_poller.delivery.trigger import Trigger
from xnovu_poller.delivery.withdraw import withdraw
from xnovu_poller.errors import LostContact, TooLarge, Unfinished
from xnovu_poller.lifecycle import Attempt, ErrorDetails, Language, Status
from xnovu_poller.novu import Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.by_claim import LostAttempt
from xnovu_poller.store.notifications.facts import read_facts
from xnovu_poller.store.notifications.hold import MOST_BYTES, Held, HoldResult, hold
from xnovu_poller.store.notifications.verdict import Ending, Verdict
from xnovu_poller.tracing import TRACING, Traced

_log = log.get(__name__)


CONCURRENT_WEIGHINGS = 2
"""At most this many connections weigh a heavy row at the same time."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The result of taking attempts through the stages once.

    Attributes:
        states: the states that were written, by notification; a missing notification is late.
        left: how many are left for the next try.
        locked: how many were not held because another session has locked their rows.
        heavy: attempts for which there was no room, each with the most that it may weigh.
        lapsed: attempts whose sender died before, so each must be delivered by itself.
        patience: how long until the last live send of another process has passed, and until enterprises that have
            used their share of the time may go on.
    """

    states: dict[int, Status]
    left: int = 0
    locked: int = 0
    heavy: Mapping[Attempt, int] = field(default_factory=dict)
    lapsed: Sequence[Attempt] = ()
    patience: timedelta = timedelta(0)


class Delivered(NamedTuple):
    """How the notifications of a group ended.

    Attributes:
        states: the states that were written, by notification; a missing notification was late or is locked.
        codes: the codes of their errors, by notification.
    """

    states: Mapping[int, Status]
    codes: Mapping[int, str]


class Delivery:
    """Delivers groups of notifications; each executor process has its own.

    Args:
        gate: while it is closed, groups are released at once.
        timeout: of a call to Novu, and of the send that a hold covers.
        max_failures: with this many failures that count, a notification becomes DEAD.
        language: that of notifications whose enterprise has none.
    """

    def __init__(
        self,
        engine: Engine,
        novu: Novu,
        gate: Gate,
        *,
        timeout: timedelta,
        max_failures: int,
        language: Language,
    ) -> None:
        self._engine = engine
        self._novu = novu
        self._gate = gate
        self._timeout = timeout
        self._max_failures = max_failures
        self._writer = VerdictWriter(engine, gate, max_failures=max_failures)
        self._trigger = Trigger(engine, novu, gate, timeout)
        self._preparation = Preparation(engine, language)
        self._delivering_lapsed = asyncio.Lock()
        self._bytes = BytesInFlight()
        self._weighing = asyncio.Semaphore(CONCURRENT_WEIGHINGS)

    async def deliver(
        self, attempts: Sequence[Attempt], *, last: bool, budget: timedelta, limit: timedelta
    ) -> Delivered:
        """Deliver a group; each notification has its own outcome.

        If the process dies here, the holds lapse, and the next try or the rescue continues under the same
        transaction ids.

        Args:
            last: no further try of these attempts follows, so an unknown outcome is a failed attempt.
            budget: after this time, no further chunk and no further lapsed notification is sent.
            limit: after this time, stop trying to record outcomes if the database is away.

        Raises:
            Unfinished: some notifications are left for the next try of these attempts.
            StoreUnavailable: PostgreSQL does not answer; notifications may have been sent but not recorded.
        """
        if self._gate.closed:
            released = await by_claim.release(self._engine, attempts, self._gate.details)
            metrics.RELEASED.inc(len(released))
            return Delivered(released, {})
        started_at = time.monotonic()
        leaves = started_at + budget.total_seconds()
        recorder = Recorder(self._writer, self._gate, last=last, until=started_at + limit.total_seconds())
        found = [await self._deliver(attempts, recorder, leaves)]
        while (heavy := found[-1].heavy) and time.monotonic() < leaves:
            found.append(await self._deliver_heavy(heavy, recorder, leaves))
        # One after another, because each may kill the process.
        lapsed = [attempt for progress in found for attempt in progress.lapsed]
        found += [await self._deliver_lapsed(attempt, recorder, leaves) for attempt in lapsed]
        # After the last try, the rescue releases locked rows when their lease has lapsed and they can be written.
        heavy = found[len(found) - len(lapsed) - 1].heavy
        if last and heavy:
            await by_claim.release(self._engine, list(heavy))
            heavy = {}
        left = len(heavy) + sum(progress.left + (0 if last else progress.locked) for progress in found)
        if left:
            raise Unfinished(left, max(progress.patience for progress in found))
        states = {id_: state for progress in found for id_, state in progress.states.items()}
        return Delivered(states, recorder.codes)

    async def aclose(self) -> None:
        """Write what could not be recorded yet, as far as that is possible at once."""
        await self._writer.aclose()

    async def record_lost_contact(
        self, attempts: Sequence[Attempt], *, counted: bool = True
    ) -> dict[int, Status]:
        """Record attempts as failed because their run lost contact with its activity.

        Args:
            counted: the sender may have died. The failure counts for a single notification. It does not count
                for a group, because nobody knows which notification caused it; each whose send was open gets its own run from now on.

        Returns:
            The states that were written, by notification; a missing notification was late.

        Raises:
            StoreUnavailable: PostgreSQL does not answer; the rescue will find the rows.
        """
        error = ErrorDetails.of(LostContact())
        counts = counted and len(attempts) == 1
        lost = [
            LostAttempt(attempt, pacing.failure_pause(1), counted=counts, died=counted)
            for attempt in attempts
        ]
        states = await by_claim.record_lost_contact(
            self._engine, lost, error=error, max_failures=self._max_failures
        )
        if counts:
            metrics.FAILED.labels(error.code).inc(len(states))
        dead = [id_ for id_, state in states.items() if state is Status.DEAD]
        for facts in (await read_facts(self._engine, dead)).values():
            report_dead(facts, error.code)
        _log.warning("contact lost", recorded=len(states))
        return states

    async def _deliver(
        self, attempts: Sequence[Attempt], recorder: Recorder, leaves: float, *, with_lapsed: bool = False
    ) -> Progress:
        """Take attempts through the stages once, as far as there is room for them."""
        room = room_for(len(attempts))
        async with self._bytes.reserve(room) as reserved:
            ends = time.monotonic() + self._timeout.total_seconds()
            with metrics.STAGE_SECONDS.labels("hold").time():
                found = await hold(
                    self._engine,
                    attempts,
                    deadline=self._timeout,
                    room=None if with_lapsed else room,
                    with_lapsed=with_lapsed,
                )
            reserved.resize(_weigh(found.held))
            return await self._take_through(found, len(attempts), recorder, ends, leaves)

    async def _deliver_heavy(
        self, heavy: Mapping[Attempt, int], recorder: Recorder, leaves: float
    ) -> Progress:
        """Deliver the next attempts for which there was no room: as many as fit now, or the lightest by itself."""
        lightest = next(iter(heavy))
        if heavy[lightest] <= room_for(len(heavy)):
            return await self._deliver(list(heavy), recorder, leaves)
        rest = {attempt: most for attempt, most in heavy.items() if attempt != lightest}
        async with self._bytes.reserve(min(heavy[lightest], MOST_BYTES)) as reserved:
            # To weigh a compressed row, PostgreSQL unpacks it: not on all connections at once.
            async with self._weighing:
                ends = time.monotonic() + self._timeout.total_seconds()
                found = await hold(self._engine, [lightest], deadline=self._timeout)
            reserved.resize(_weigh(found.held))
            progress = await self._take_through(found, 1, recorder, ends, leaves)
        return replace(progress, heavy=rest)

    async def _take_through(
        self, found: HoldResult, asked: int, recorder: Recorder, ends: float, leaves: float
    ) -> Progress:
        """Take held notifications through the stages."""
        known = sum(len(part) for part in (found.held, found.lapsed, found.live, found.locked, found.heavy))
        metrics.LATE.inc(asked - known)
        log.each_step(_log, "notification held", (held.facts for held in found.held), asked=asked)
        with TRACING.deliver(_traced(held) for held in found.held):
            verdicts = await self._settle(found.held, ends, leaves)
            ids = (verdict.held.transaction_id for verdict in verdicts)
            with metrics.STAGE_SECONDS.labels("record").time(), TRACING.stage("record", ids):
                states, left = await recorder.record(verdicts)
        # The first that was put off sets the time: each try sends some of them.
        waits = [verdict.wait for verdict in verdicts if verdict.ending is Ending.UNFINISHED and verdict.wait]
        patience = max(found.patience, min(waits, default=timedelta(0)))
        return Progress(
            states, left + len(found.live), len(found.locked), found.heavy, found.lapsed, patience
        )

    async def _settle(self, group: Sequence[Held], ends: float, leaves: float) -> list[Verdict]:
        """Withdraw or send held notifications; return a verdict on each."""
        to_withdraw = [held for held in group if held.withdrawn or held.expired]
        to_send = [held for held in group if not (held.withdrawn or held.expired)]
        too_large = [held for held in to_send if held.weight > MOST_BYTES]
        # These make no call, so give their share of the window to others.
        self._gate.refund(len(to_withdraw) + len(too_large))
        withdrawn, *sent = await asyncio.gather(
            withdraw(self._engine, self._novu, to_withdraw),
            *(
                self._send(part, ends, leaves)
                for part in self._preparation.split([held for held in to_send if held.weight <= MOST_BYTES])
            ),
        )
        refused = [
            Verdict(Ending.DEAD, held, ErrorDetails.of(TooLarge(held.weight, MOST_BYTES)))
            for held in too_large
        ]
        return [*refused, *withdrawn, *(verdict for part in sent for verdict in part)]

    async def _send(self, held: Sequence[Held], ends: float, leaves: float) -> list[Verdict]:
        """Prepare notifications and trigger those that are ready; return a verdict on each."""
        with TRACING.stage("prepare", (each.transaction_id for each in held)):
            prepared = await self._preparation.prepare(held)
        triggered: list[Verdict] = []
        if prepared.ready:
            with metrics.STAGE_SECONDS.labels("call").time():
                triggered = await self._trigger.send(prepared.ready, ends=ends, leaves=leaves)
        # These made no call.
        self._gate.refund(len(prepared.verdicts) + sum(verdict.turned_away for verdict in triggered))
        return [*prepared.verdicts, *triggered]

    async def _deliver_lapsed(self, attempt: Attempt, recorder: Recorder, leaves: float) -> Progress:
        """Deliver an attempt whose sender died before, by itself: if it kills the process again, it harms no other."""
        async with self._delivering_lapsed:
            # Starting now, it would hit the timeout of the activity mid-send and count as another lapse.
            if time.monotonic() >= leaves:
                return Progress({}, left=1)
            return await self._deliver([attempt], recorder, leaves, with_lapsed=True)


def _traced(held: Held) -> Traced:
    waited = max(0, round((datetime.now(UTC) - held.due_at).total_seconds() * 1000))
    return Traced(held.transaction_id, held.payload, {**held.facts, "waited_ms": waited})


def _weigh(group: Sequence[Held]) -> int:
    """Return the bytes that were read."""
    return sum(held.weight for held in group if held.weight <= MOST_BYTES)
