"""The calls to Novu that notifications need, and what they come to."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Any, Literal

from xnovu_poller import metrics
from xnovu_poller.backpressure.breaker import Breaker
from xnovu_poller.errors import NovuRejected, NovuUnauthorized, NovuUnavailable, Unfinished, WorkflowTripped
from xnovu_poller.lifecycle import (
    RECIPIENTS_PER_CHUNK,
    Accepted,
    ErrorDetails,
    Outcome,
    Refused,
    Sender,
    Unknown,
    seconds,
)
from xnovu_poller.novu import EVENTS_PER_CALL, Event, Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_chunk
from xnovu_poller.store.notifications.by_chunk import Chunk
from xnovu_poller.store.notifications.hold import Held


class Ending(Enum):
    """What the trigger of one notification came to, and so how it is recorded.

    SENT: Novu accepted every chunk. DEAD: no attempt can succeed. FAILED: this attempt has not.
    RELEASED: Novu cannot serve now. UNKNOWN: it may have been accepted. UNFINISHED: chunks are left
    and time is not. RETRACTED: withdrawn or expired, and recorded already. LATE: the right to send is
    gone.
    """

    SENT = auto()
    DEAD = auto()
    FAILED = auto()
    RELEASED = auto()
    UNKNOWN = auto()
    UNFINISHED = auto()
    RETRACTED = auto()
    LATE = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one notification is to be recorded: the ending, and the hold by which it still may be.

    Attributes:
        ending: which arrow.
        held: whose verdict it is; its hold is the newest.
        fault: what the row is to tell, where something went wrong.
        refused: Novu answered, so that the next attempt bears another idempotency key.
        unknown: it may have been accepted.
        turned_away: for how long; nothing was sent, and the attempt does not count.
    """

    ending: Ending
    held: Held
    fault: ErrorDetails | None = None
    refused: bool = False
    unknown: bool = False
    turned_away: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A notification that only has to be sent.

    Attributes:
        held: ours to send.
        workflow_key: Novu's name of the workflow.
        payload: what Novu gets, rendered text included.
    """

    held: Held
    workflow_key: str
    payload: dict[str, Any]

    @property
    def source(self) -> Sender:
        """Who asks."""
        return Sender(self.held.enterprise_id, self.workflow_key, self.held.transaction_id)

    def event(self) -> Event:
        """Spell the trigger, to each recipient once."""
        held = self.held
        return Event(
            self.workflow_key,
            tuple(dict.fromkeys(held.recipients)),
            self.payload,
            held.overrides,
            held.transaction_id,
            held.refusals,
            self.source,
        )


@dataclass(frozen=True, slots=True)
class Trigger:
    """Makes the calls of notifications, each within the holds that cover it."""

    engine: Engine
    novu: Novu
    breaker: Breaker
    timeout: timedelta

    def calls(self, ready: Sequence[Ready]) -> list[list[Ready]]:
        """Say which notifications go to Novu together, in bulk calls.

        Alone goes what needs several calls; and what Novu may have accepted already, or probes a workflow
        that fails: a call that chokes on one of them is not to fail for all.
        """
        kinds: dict[bool, list[Ready]] = {True: [], False: []}
        for one in ready:
            kinds[self._goes_alone(one)].append(one)
        alone = kinds[True]
        together = []
        for start in range(0, len(kinds[False]), EVENTS_PER_CALL):
            part = kinds[False][start : start + EVENTS_PER_CALL]
            if self.novu.together(len(part)):
                together.append(part)
            else:
                alone += part
        return together + [[one] for one in alone]

    def _goes_alone(self, one: Ready) -> bool:
        return (
            one.held.unknown_outcomes > 0
            or len(one.held.recipients) > RECIPIENTS_PER_CHUNK
            or self.breaker.is_tripped(one.source)
        )

    async def send(self, ready: Sequence[Ready], *, ends: float, leaves: float) -> list[Verdict]:
        """Trigger notifications, several by one call.

        Guarantee: at least once to Novu, under transaction ids that are the same at every attempt, so
        that Novu drops a repeat.

        Args:
            ready: of one of the `calls`.
            ends: when the holds' deadline passes, by `time.monotonic`.
            leaves: no further chunk is begun after this, by `time.monotonic`.

        Returns:
            One verdict for each, in no order.

        Raises:
            StoreUnavailable: an answer to a chunk could not be written; the send lapses.
        """
        if time.monotonic() >= ends:
            # Giving it back would make it due at once, and it would take as long again, for ever.
            fault = ErrorDetails(
                Unfinished.code, "delivery: to validate and render took as long as a call may last"
            )
            return [Verdict(Ending.FAILED, one.held, fault) for one in ready]
        waits = [(one, self.breaker.wait(one.source)) for one in ready]
        verdicts = [
            Verdict(Ending.FAILED, one.held, ErrorDetails.of(WorkflowTripped()), turned_away=wait)
            for one, wait in waits
            if wait
        ]
        sources = {one.held.hold.notification_id: one.source for one in ready}
        going = [(one.held, one.event()) for one, wait in waits if not wait]
        for verdict in await self._sent(going, ends, leaves):
            tripped = self.breaker.is_tripped(sources[verdict.held.hold.notification_id])
            # Its next try would be turned away, and the failure would never count.
            failed = verdict.ending is Ending.UNKNOWN and tripped
            verdicts.append(replace(verdict, ending=Ending.FAILED) if failed else verdict)
        return verdicts

    async def _sent(self, going: Sequence[tuple[Held, Event]], ends: float, leaves: float) -> list[Verdict]:
        if not going:
            return []
        held, event = going[0]
        if len(event.recipients) > RECIPIENTS_PER_CHUNK:
            return [await self._chunks(held, event, ends, leaves)]
        outcomes = await self._call([event for _, event in going], ends)
        return [_verdict(held, outcome) for (held, _), outcome in zip(going, outcomes, strict=True)]

    async def _chunks(self, held: Held, event: Event, ends: float, leaves: float) -> Verdict:
        """Send what is left of a large notification, chunk by chunk, each answer written at once."""
        chunks = await by_chunk.cut(self.engine, held.hold, slices(event.recipients))
        if not chunks:
            return Verdict(Ending.LATE, held)
        refused = [chunk.number for chunk in chunks if chunk.outcome == "refused"]
        for chunk in chunks:
            if chunk.outcome in {"accepted", "refused"}:
                continue
            if time.monotonic() > leaves:
                return Verdict(Ending.UNFINISHED, held)
            verdict, ends = await self._chunk(held, event, chunk, ends)
            held = verdict.held
            if verdict.ending is Ending.DEAD:
                refused.append(chunk.number)
            elif verdict.ending is not Ending.SENT:
                return verdict
        if refused:
            numbers = tuple(sorted(refused))
            told = f"Novu: rejects the chunks {', '.join(map(str, numbers))}"
            return Verdict(Ending.DEAD, held, ErrorDetails(NovuRejected.code, told, numbers))
        return Verdict(Ending.SENT, held)

    async def _chunk(self, held: Held, event: Event, chunk: Chunk, ends: float) -> tuple[Verdict, float]:
        """Send one chunk and write its answer.

        Returns:
            The verdict, which carries the hold for the next chunk, and when that hold's deadline passes:
            counted from before it was asked for, so that a slow database makes no call outlast it.
        """
        part = replace(
            event,
            recipients=tuple(chunk.recipients),
            transaction_id=chunk.transaction_id,
            refusals=chunk.refusals,
        )
        [outcome] = await self._call([part], ends)
        verdict = _verdict(held, outcome)
        ends = time.monotonic() + seconds(self.timeout)
        hold = await by_chunk.answered(
            self.engine,
            held.hold,
            chunk,
            outcome=_word(verdict),
            fault=verdict.fault,
            refused=verdict.refused,
            deadline=self.timeout,
        )
        if hold is None:
            return Verdict(Ending.LATE, held), ends
        # The chunk keeps its own count of refusals.
        return replace(verdict, held=replace(held, hold=hold), refused=False), ends

    async def _call(self, events: Sequence[Event], ends: float) -> list[Outcome]:
        begun = time.monotonic()
        deadline = timedelta(seconds=max(0.0, ends - begun))
        if len(events) == 1:
            outcomes = [await self.novu.trigger(events[0], deadline=deadline)]
        else:
            outcomes = await self.novu.trigger_bulk(events, deadline=deadline)
        for name, count in Counter(map(_class, outcomes)).items():
            metrics.NOVU_CALLS.labels(name).inc(count)
        metrics.NOVU_CALL_SECONDS.observe(time.monotonic() - begun)
        return outcomes


def slices(recipients: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Cut unique recipients into chunks, in order."""
    size = RECIPIENTS_PER_CHUNK
    return [recipients[start : start + size] for start in range(0, len(recipients), size)]


def _verdict(held: Held, outcome: Outcome) -> Verdict:
    match outcome:
        case Accepted():
            return Verdict(Ending.SENT, held)
        case Refused(error=NovuRejected() as error):
            return Verdict(Ending.DEAD, held, ErrorDetails.of(error), refused=True)
        case Refused(error=error):
            unsure = isinstance(error, NovuUnavailable) and error.unsure
            return Verdict(
                Ending.RELEASED, held, ErrorDetails.of(error), refused=error.answered, unknown=unsure
            )
        case Unknown(error=error):
            return Verdict(Ending.UNKNOWN, held, ErrorDetails.of(error), refused=error.answered, unknown=True)


def _word(verdict: Verdict) -> Literal["accepted", "refused", "unknown"] | None:
    match verdict.ending:
        case Ending.SENT:
            return "accepted"
        case Ending.DEAD:
            return "refused"
        case _:
            return "unknown" if verdict.unknown else None


def _class(outcome: Outcome) -> str:
    match outcome:
        case Accepted():
            return "accepted"
        case Unknown():
            return "unknown"
        case Refused(error=NovuRejected()):
            return "rejected"
        case Refused(error=NovuUnauthorized()):
            return "stop"
        case Refused():
            return "unavailable"
