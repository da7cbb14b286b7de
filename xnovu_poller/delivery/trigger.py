"""The calls to Novu, and the verdicts that follow from its answers."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from xnovu_poller import metrics
from xnovu_poller.backpressure.breaker import Breaker
from xnovu_poller.delivery.stages import watch
from xnovu_poller.errors import NovuRejected, NovuUnauthorized, NovuUnavailable, Unfinished, WorkflowTripped
from xnovu_poller.lifecycle import RECIPIENTS_PER_CHUNK, Accepted, ErrorDetails, Outcome, Refused, Unknown
from xnovu_poller.novu import EVENTS_PER_CALL, Event, Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_chunk
from xnovu_poller.store.notifications.by_chunk import Chunk, split_recipients
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.notifications.verdict import Ending, Verdict


@dataclass(frozen=True, slots=True)
class Trigger:
    """Makes the calls for notifications, each before the holds that cover it lapse."""

    engine: Engine
    novu: Novu
    breaker: Breaker
    timeout: timedelta

    async def send(self, ready: Sequence[tuple[Held, Event]], *, ends: float, leaves: float) -> list[Verdict]:
        """Trigger notifications, with bulk calls where that is safe.

        Guarantee: at least once. The transaction ids are the same at every attempt, so that Novu drops a repeat.

        Args:
            ends: when the deadline of the holds passes, by `time.monotonic`.
            leaves: start no further chunk after this, by `time.monotonic`.

        Returns:
            A verdict for each notification, in any order. It is UNKNOWN if a chunk's answer could not be written.
        """
        found = await asyncio.gather(
            *(
                watch([held for held, _ in call], self._send_call(call, ends, leaves), sends=True)
                for call in self._group(ready)
            )
        )
        return [verdict for verdicts in found for verdict in verdicts]

    def _group(self, ready: Sequence[tuple[Held, Event]]) -> list[list[tuple[Held, Event]]]:
        """Decide which notifications share a bulk call.

        A notification gets calls of its own if it needs several, if Novu may have accepted it already, if it probes
        a failing workflow (its fault must not fail the others), or if Novu limits our rate and single calls cost less.
        """
        singles = [[pair] for pair in ready if self._is_single(*pair)]
        others = [pair for pair in ready if not self._is_single(*pair)]
        bulks = [others[start : start + EVENTS_PER_CALL] for start in range(0, len(others), EVENTS_PER_CALL)]
        together = [bulk for bulk in bulks if self.novu.together(len(bulk))]
        taken_apart = [[pair] for bulk in bulks if not self.novu.together(len(bulk)) for pair in bulk]
        return together + singles + taken_apart

    def _is_single(self, held: Held, event: Event) -> bool:
        return (
            held.unknown_outcomes > 0
            or len(event.recipients) > RECIPIENTS_PER_CHUNK
            or self.breaker.is_tripped(event.origin)
        )

    async def _send_call(
        self, call: Sequence[tuple[Held, Event]], ends: float, leaves: float
    ) -> list[Verdict]:
        """Make a call for the notifications that the breaker lets pass, perhaps one as a probe; turn the others away."""
        if time.monotonic() >= ends:
            # A release would make it due at once, and it would take as long again, for ever.
            error = ErrorDetails(
                Unfinished.code, "delivery: validating and rendering took as long as a call may last"
            )
            return [Verdict(Ending.FAILED, held, error) for held, _ in call]
        waits = [(held, event, self.breaker.wait(event.origin)) for held, event in call]
        tripped = ErrorDetails.of(WorkflowTripped())
        turned_away = [
            Verdict(Ending.FAILED, held, tripped, counted=False, turned_away=True, wait=wait)
            for held, _, wait in waits
            if wait
        ]
        to_send = [(held, event) for held, event, wait in waits if not wait]
        verdicts = await self._make_calls(to_send, ends, leaves)
        return turned_away + [
            self._settle(verdict, event) for verdict, (_, event) in zip(verdicts, to_send, strict=True)
        ]

    def _settle(self, verdict: Verdict, event: Event) -> Verdict:
        """Count an unknown outcome as a failure if its workflow is tripped: the next try would be turned away, uncounted."""
        failed = verdict.ending is Ending.UNKNOWN and self.breaker.is_tripped(event.origin)
        return replace(verdict, ending=Ending.FAILED) if failed else verdict

    async def _make_calls(
        self, to_send: Sequence[tuple[Held, Event]], ends: float, leaves: float
    ) -> list[Verdict]:
        if not to_send:
            return []
        held, event = to_send[0]
        if len(event.recipients) > RECIPIENTS_PER_CHUNK:
            return [await self._send_chunks(held, event, ends, leaves)]
        outcomes = await self._call([event for _, event in to_send], ends)
        return [_judge(held, outcome) for (held, _), outcome in zip(to_send, outcomes, strict=True)]

    async def _send_chunks(self, held: Held, event: Event, ends: float, leaves: float) -> Verdict:
        """Send the remaining chunks of a large notification; record each answer before the next chunk."""
        chunks = await by_chunk.create_chunks(self.engine, held.hold, split_recipients(event.recipients))
        if not chunks:
            return Verdict(Ending.LATE, held)
        refused = [chunk.number for chunk in chunks if chunk.outcome == "refused"]
        for chunk in chunks:
            if chunk.outcome in {"accepted", "refused"}:
                continue
            if time.monotonic() > leaves:
                return Verdict(Ending.UNFINISHED, held)
            verdict, ends = await self._send_chunk(held, event, chunk, ends)
            held = verdict.held
            if verdict.ending is Ending.DEAD:
                refused.append(chunk.number)
            elif verdict.ending is not Ending.SENT:
                return verdict
        if refused:
            numbers = tuple(sorted(refused))
            message = f"Novu: rejects the chunks {', '.join(map(str, numbers))}"
            return Verdict(Ending.DEAD, held, ErrorDetails(NovuRejected.code, message, numbers))
        return Verdict(Ending.SENT, held)

    async def _send_chunk(self, held: Held, event: Event, chunk: Chunk, ends: float) -> tuple[Verdict, float]:
        """Send a chunk and record its answer.

        Returns:
            The verdict, with the hold for the next chunk, and when the deadline of that hold passes. The deadline
            counts from before the hold was requested, so that no call outlasts it even if the database is slow.
        """
        part = replace(
            event,
            recipients=tuple(chunk.recipients),
            transaction_id=chunk.transaction_id,
            refusals=chunk.refusals,
        )
        [outcome] = await self._call([part], ends)
        verdict = _judge(held, outcome)
        ends = time.monotonic() + self.timeout.total_seconds()
        hold = await by_chunk.record_chunk_answer(
            self.engine,
            held.hold,
            chunk,
            outcome=_chunk_outcome(verdict),
            error=verdict.error,
            refused=verdict.refused,
            deadline=self.timeout,
        )
        if hold is None:
            return Verdict(Ending.LATE, held), ends
        # The chunk counts its own refusals.
        return replace(verdict, held=replace(held, hold=hold), refused=False), ends

    async def _call(self, events: Sequence[Event], ends: float) -> list[Outcome]:
        started_at = time.monotonic()
        deadline = timedelta(seconds=max(0.0, ends - started_at))
        if len(events) == 1:
            outcomes = [await self.novu.trigger(events[0], deadline=deadline)]
        else:
            outcomes = await self.novu.trigger_bulk(events, deadline=deadline)
        for name, count in Counter(map(_classify, outcomes)).items():
            metrics.NOVU_CALLS.labels(name).inc(count)
        metrics.NOVU_CALL_SECONDS.observe(time.monotonic() - started_at)
        return outcomes


def _judge(held: Held, outcome: Outcome) -> Verdict:
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


def _chunk_outcome(verdict: Verdict) -> Literal["accepted", "refused", "unknown"] | None:
    match verdict.ending:
        case Ending.SENT:
            return "accepted"
        case Ending.DEAD:
            return "refused"
        case _:
            return "unknown" if verdict.unknown else None


def _classify(outcome: Outcome) -> str:
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
