"""The calls that Novu did not serve as asked: refused, throttled, repeated, or lost by a scripted fault."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from xnovu_poller.dev.standin.calls import Answer, Call, Json
from xnovu_poller.dev.standin.faults import Fault, read_events
from xnovu_poller.dev.standin.shapes import read_enterprise, read_notification

KEPT = 200
"""The latest that are kept; the counts of `/_standin/stats` have them all."""

_PROCESSED = "processed"
_THROTTLED, _FIRST_REFUSAL = 429, 400


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call, or an event of a bulk call.

    Attributes:
        arrived_ms: milliseconds since 1970.
        kind: how it failed: refused, throttled, repeated, or the kind of a scripted fault.
        answer: the status that was answered; None if the connection was silent or reset.
        reason: the message of the answer.
        enterprise: of its first event.
        notification: the row of its first event; None if the event names none.
        events: the number of its events.
    """

    arrived_ms: int
    kind: str
    path: str
    answer: int | None
    reason: str
    enterprise: str
    notification: int | None
    events: int


class FailedCalls:
    """The latest failed calls, oldest first.

    Attributes:
        number: how many there were since the start.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: deque[FailedCall] = deque(maxlen=KEPT)
        self.number = 0

    def list(self) -> list[FailedCall]:
        """Return the latest, newest first."""
        return list(reversed(self._kept))

    def clear(self) -> None:
        """Forget them."""
        self._kept.clear()

    def add_answer(self, call: Call, answer: Answer) -> None:
        """Add a call if its answer is a refusal, or repeats a stored answer."""
        if "Idempotency-Replay" in answer.headers:
            self._add(call, "repeated", answer.status, "the answer that is stored under its Idempotency-Key")
        elif answer.status >= _FIRST_REFUSAL:
            kind = "throttled" if answer.status == _THROTTLED else "refused"
            self._add(call, kind, answer.status, answer.content.decode(errors="replace")[:300])

    def add_fault(self, call: Call, fault: Fault, answer: int | None) -> None:
        """Add a call that a scripted fault has struck."""
        self._add(call, fault.kind.value.replace("_", " "), answer, "a scripted fault")

    def add_event(self, event: Json, result: Mapping[str, Json]) -> None:
        """Add an event that was answered 201, but is not processed."""
        if result["status"] != _PROCESSED:
            reason = "; ".join(map(str, result.get("error", ()))) or result["status"]
            self._add(Call("POST", "event", body=event), "refused", 201, reason)

    def _add(self, call: Call, kind: str, answer: int | None, reason: str) -> None:
        events = [event for event in read_events(call.body) if event]
        first = events[0] if events else {}
        self.number += 1
        self._kept.append(
            FailedCall(
                arrived_ms=int(self._clock() * 1000),
                kind=kind,
                path=f"{call.method} {call.path}",
                answer=answer,
                reason=reason,
                enterprise=read_enterprise(first),
                notification=read_notification(first),
                events=len(events),
            )
        )
