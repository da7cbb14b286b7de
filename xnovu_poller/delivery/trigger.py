"""The calls to Novu that one notification needs, and what they come to."""

import time
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Any, Literal

from xnovu_poller import metrics
from xnovu_poller.breaker import Breaker
from xnovu_poller.errors import NovuRejected, NovuUnauthorized, NovuUnavailable, Unfinished, WorkflowTripped
from xnovu_poller.lifecycle import (
    RECIPIENTS_PER_CHUNK,
    Accepted,
    Fault,
    Outcome,
    Refused,
    Source,
    Unknown,
    seconds,
)
from xnovu_poller.novu import Event, Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.transitions import by_chunks
from xnovu_poller.store.transitions.by_chunks import Chunk
from xnovu_poller.store.transitions.holding import Held


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
    fault: Fault | None = None
    refused: bool = False
    unknown: bool = False
    turned_away: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """Makes the calls of a notification, each within the hold that covers it."""

    engine: Engine
    novu: Novu
    breaker: Breaker
    timeout: timedelta

    async def send(
        self, held: Held, workflow_key: str, payload: dict[str, Any], *, ends: float, leaves: float
    ) -> Verdict:
        """Trigger one notification.

        Guarantee: at least once to Novu, under transaction ids that are the same at every attempt, so
        that Novu drops a repeat.

        Args:
            held: ours to send.
            workflow_key: Novu's name of the workflow.
            payload: what Novu gets, rendered text included.
            ends: when the hold's deadline passes, by `time.monotonic`.
            leaves: no further chunk is begun after this, by `time.monotonic`.

        Raises:
            StoreUnavailable: an answer to a chunk could not be written; the send lapses.
        """
        if time.monotonic() >= ends:
            # Giving it back would make it due at once, and it would take as long again, for ever.
            fault = Fault(Unfinished.code, "delivery: to validate and render took as long as a call may last")
            return Verdict(Ending.FAILED, held, fault)
        source = Source(held.enterprise_id, workflow_key, held.transaction_id)
        if wait := self.breaker.wait(source):
            return Verdict(Ending.FAILED, held, Fault.of(WorkflowTripped()), turned_away=wait)
        recipients = list(dict.fromkeys(held.recipients))
        event = Event(
            workflow_key,
            tuple(recipients),
            payload,
            held.overrides,
            held.transaction_id,
            held.refusals,
            source,
        )
        if len(recipients) > RECIPIENTS_PER_CHUNK:
            verdict = await self._chunks(held, event, ends, leaves)
        else:
            verdict = _verdict(held, await self._call(event, ends))
        if verdict.ending is Ending.UNKNOWN and self.breaker.is_tripped(source):
            # Its next try would be turned away, and the failure would never count.
            return replace(verdict, ending=Ending.FAILED)
        return verdict

    async def _chunks(self, held: Held, event: Event, ends: float, leaves: float) -> Verdict:
        """Send what is left of a large notification, chunk by chunk, each answer written at once."""
        chunks = await by_chunks.cut(self.engine, held.hold, slices(event.recipients))
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
            return Verdict(Ending.DEAD, held, Fault(NovuRejected.code, told, numbers))
        return Verdict(Ending.SENT, held)

    async def _chunk(self, held: Held, event: Event, chunk: Chunk, ends: float) -> tuple[Verdict, float]:
        """Send one chunk and write its answer.

        Returns:
            The verdict, which carries the hold for the next chunk, and when that hold's deadline passes:
            counted from before it was asked for, so that a slow database makes no call outlast it.
        """
        outcome = await self._call(
            replace(
                event,
                recipients=tuple(chunk.recipients),
                transaction_id=chunk.transaction_id,
                refusals=chunk.refusals,
            ),
            ends,
        )
        verdict = _verdict(held, outcome)
        ends = time.monotonic() + seconds(self.timeout)
        hold = await by_chunks.answered(
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

    async def _call(self, event: Event, ends: float) -> Outcome:
        begun = time.monotonic()
        outcome = await self.novu.trigger(event, deadline=timedelta(seconds=max(0.0, ends - begun)))
        metrics.NOVU_CALLS.labels(_class(outcome)).inc()
        metrics.NOVU_CALL_SECONDS.observe(time.monotonic() - begun)
        return outcome


def slices(recipients: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Cut unique recipients into chunks, in order."""
    size = RECIPIENTS_PER_CHUNK
    return [recipients[start : start + size] for start in range(0, len(recipients), size)]


def _verdict(held: Held, outcome: Outcome) -> Verdict:
    match outcome:
        case Accepted():
            return Verdict(Ending.SENT, held)
        case Refused(error=NovuRejected() as error):
            return Verdict(Ending.DEAD, held, Fault.of(error), refused=True)
        case Refused(error=error):
            unsure = isinstance(error, NovuUnavailable) and error.unsure
            return Verdict(Ending.RELEASED, held, Fault.of(error), refused=error.answered, unknown=unsure)
        case Unknown(error=error):
            return Verdict(Ending.UNKNOWN, held, Fault.of(error), refused=error.answered, unknown=True)


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
