"""The calls to Novu, and the verdicts that follow from its answers."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from xnovu_poller import log, metrics
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.stages import nothing_sent, watch
from xnovu_poller.errors import (
    NovuBlocked,
    NovuError,
    NovuRejected,
    NovuThrottled,
    NovuUnauthorized,
    NovuUnavailable,
    StoreError,
    StoreLocked,
    Unfinished,
    WorkflowTripped,
)
from xnovu_poller.lifecycle import (
    RECIPIENTS_PER_CHUNK,
    Accepted,
    ErrorDetails,
    Hold,
    Outcome,
    Refused,
    Unknown,
)
from xnovu_poller.novu import EVENTS_PER_CALL, Event, Novu
from xnovu_poller.pacing import LOCKED_PAUSE, Backoff
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_chunk
from xnovu_poller.store.notifications.by_chunk import Chunk, split_recipients
from xnovu_poller.store.notifications.hold import Held
from xnovu_poller.store.notifications.verdict import Ending, Verdict
from xnovu_poller.tracing import TRACING

_log = log.get(__name__)

_LOCKED_PATIENCE = timedelta(seconds=3)
"""How long a chunk's answer waits for a lock on its notification; then the chunk counts as unknown and is sent again."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Makes the calls for notifications, each before the holds that cover it lapse."""

    engine: Engine
    novu: Novu
    gate: Gate
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

        A notification gets calls of its own if it needs several, if Novu may have accepted it already, if it was refused
        before or probes a failing workflow (its fault must not fail the others), or if Novu limits our rate and single
        calls cost less.
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
            or held.refusals > 0
            or _has_chunks(event)
            or self.gate.breaker.is_tripped(event.origin)
        )

    async def _send_call(
        self, call: Sequence[tuple[Held, Event]], ends: float, leaves: float
    ) -> list[Verdict]:
        """Make a call for the notifications that the breaker lets pass, perhaps one as a probe; turn the others away."""
        if time.monotonic() >= ends:
            # A release would make it due at once, and it would take as long again, for ever. It counts only against a
            # notification that is by itself: in a group, the heavy work may be that of others.
            error = ErrorDetails(
                Unfinished.code, "delivery: validating and rendering took as long as a call may last"
            )
            return [Verdict(Ending.FAILED, held, error, counted=len(call) == 1) for held, _ in call]
        waits = [(held, event, self.gate.breaker.wait(event.origin)) for held, event in call]
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
        failed = verdict.ending is Ending.UNKNOWN and self.gate.breaker.is_tripped(event.origin)
        return replace(verdict, ending=Ending.FAILED) if failed else verdict

    async def _make_calls(
        self, to_send: Sequence[tuple[Held, Event]], ends: float, leaves: float
    ) -> list[Verdict]:
        if not to_send:
            return []
        held, event = to_send[0]
        if _has_chunks(event):
            parts = split_recipients(event.recipients, push_apart=event.push is not None)
            try:
                chunks = await by_chunk.create_chunks(self.engine, held.hold, parts)
            except StoreError as error:
                return nothing_sent([held], error)
            return [await self._send_chunks(held, event, chunks, ends, leaves)]
        outcomes = await self._call([event for _, event in to_send], ends)
        log.each_step(
            _log,
            "notification triggered",
            (
                {**held.facts, "outcome": _classify(outcome)}
                for (held, _), outcome in zip(to_send, outcomes, strict=True)
            ),
        )
        return [self._judge(held, outcome) for (held, _), outcome in zip(to_send, outcomes, strict=True)]

    async def _send_chunks(
        self, held: Held, event: Event, chunks: Sequence[Chunk], ends: float, leaves: float
    ) -> Verdict:
        """Send the remaining chunks of a large notification; record each answer before the next chunk."""
        if not chunks:
            return Verdict(Ending.LATE, held)
        refused = [chunk.number for chunk in chunks if chunk.outcome == "refused"]
        for chunk in chunks:
            content = event.push if chunk.is_push else event
            # Its workflow may have lost PUSH since.
            if chunk.outcome in {"accepted", "refused"} or content is None:
                continue
            if time.monotonic() > leaves:
                return Verdict(Ending.UNFINISHED, held)
            verdict, ends = await self._send_chunk(held, content, chunk, ends)
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
        log.each_step(_log, "chunk triggered", [held.facts], chunk=chunk.number, outcome=_classify(outcome))
        verdict = self._judge(held, outcome)
        ends = time.monotonic() + self.timeout.total_seconds()
        hold = await self._record_answer(verdict, chunk)
        if hold is None:
            return Verdict(Ending.LATE, held), ends
        # The chunk counts its own refusals.
        return replace(verdict, held=replace(held, hold=hold), refused=False), ends

    async def _record_answer(self, verdict: Verdict, chunk: Chunk) -> Hold | None:
        """Record the answer to a chunk; try again for a moment if another session has locked the notification."""
        backoff, gives_up = Backoff(*LOCKED_PAUSE), time.monotonic() + _LOCKED_PATIENCE.total_seconds()
        while True:
            try:
                return await by_chunk.record_chunk_answer(
                    self.engine,
                    verdict.hold,
                    chunk,
                    outcome=_chunk_outcome(verdict),
                    error=verdict.error,
                    refused=verdict.refused,
                    deadline=self.timeout,
                )
            except StoreLocked:
                if time.monotonic() > gives_up:
                    raise
            await asyncio.sleep(backoff.next().total_seconds())

    async def _call(self, events: Sequence[Event], ends: float) -> list[Outcome]:
        started_at = time.monotonic()
        deadline = timedelta(seconds=max(0.0, ends - started_at))
        owners = [event.origin.transaction_id for event in events]
        with TRACING.stage("call Novu", owners) as traced:
            if len(events) == 1:
                outcomes = [await self.novu.trigger(events[0], deadline=deadline)]
            else:
                outcomes = await self.novu.trigger_bulk(events, deadline=deadline)
            traced.update(zip(owners, map(_classify, outcomes), strict=True))
        classes, seconds = Counter(map(_classify, outcomes)), time.monotonic() - started_at
        for name, count in classes.items():
            metrics.NOVU_CALLS.labels(name).inc(count)
        metrics.NOVU_CALL_SECONDS.observe(seconds)
        ids = log.first_of(event.transaction_id for event in events)
        _log.debug("Novu called", **classes, seconds=round(seconds, 3), transactions=ids)
        return outcomes

    def _judge(self, held: Held, outcome: Outcome) -> Verdict:
        match outcome:
            case Accepted():
                return Verdict(Ending.SENT, held)
            case Refused(error=NovuRejected() as error):
                return Verdict(Ending.DEAD, held, ErrorDetails.of(error), refused=True)
            case Refused(error=error):
                return self._judge_refusal(held, error)
            case Unknown(error=error):
                return Verdict(
                    Ending.UNKNOWN, held, ErrorDetails.of(error), refused=error.answered, unknown=True
                )

    def _judge_refusal(self, held: Held, error: NovuError) -> Verdict:
        """Judge a refusal that need not be the notification's fault.

        It is released if it closed the gate, or the gate is closed anyway. Otherwise it is tried again, by itself. If it is
        refused again, it is put off, so that others go first; that counts if Novu serves others meanwhile.
        """
        details = ErrorDetails.of(error)
        unsure = isinstance(error, NovuUnavailable) and error.unsure
        verdict = Verdict(Ending.RELEASED, held, details, refused=error.answered, unknown=unsure)
        if not error.answered:
            return replace(verdict, error=self.gate.details or details)
        if isinstance(error, NovuThrottled):
            return verdict
        if self.gate.suspects.is_known(held.transaction_id):
            wait = (isinstance(error, NovuUnavailable) and error.pause) or timedelta(0)
            return replace(verdict, ending=Ending.FAILED, disputed=True, wait=wait)
        if self.gate.closed:
            return verdict
        return replace(verdict, ending=Ending.UNKNOWN if unsure else Ending.UNFINISHED, disputed=True)


def _has_chunks(event: Event) -> bool:
    return len(event.recipients) > RECIPIENTS_PER_CHUNK or event.push is not None


def _chunk_outcome(verdict: Verdict) -> Literal["accepted", "refused", "unknown"] | None:
    match verdict.ending:
        case Ending.SENT:
            return "accepted"
        case Ending.DEAD:
            return "refused"
        case _:
            return "unknown" if verdict.unknown else None


_REFUSALS = {NovuRejected: "rejected", NovuUnauthorized: "stop", NovuBlocked: "blocked"}


def _classify(outcome: Outcome) -> str:
    match outcome:
        case Accepted():
            return "accepted"
        case Unknown():
            return "unknown"
        case Refused(error=error):
            return _REFUSALS.get(type(error), "unavailable")
