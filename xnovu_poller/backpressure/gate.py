"""Open, or closed while Novu cannot be served: back-pressure instead of failed notifications."""

import random
import time
from collections.abc import Callable
from datetime import timedelta

from xnovu_poller.backpressure.breaker import Breaker
from xnovu_poller.errors import NovuRejected, NovuThrottled, NovuUnauthorized, NovuUnavailable
from xnovu_poller.lifecycle import Accepted, EnterpriseWorkflow, Outcome, Refused, Sender, Unknown, seconds

OUTAGE_WITNESSES = 5
"""So many different notifications without an answer, none served between, are Novu's fault and not theirs;
fewer where the window lets out fewer. If all are of one workflow, and Novu serves others, it is that workflow's."""

OUTAGE_PAUSE = (timedelta(seconds=1), timedelta(minutes=1))
"""The first pause of an outage and the longest; each is twice the one before."""

STOPPED_PAUSE = (timedelta(seconds=30), timedelta(minutes=5))
"""The same while the key or the address is wrong, which only a person mends."""

WIDE_OPEN = 1024
"""A window that has grown to this many notifications is no longer a limit."""

WINDOW_REST = timedelta(seconds=15)
"""Notifications let out and not heard of for so long never reached Novu; others may go in their place."""

SERVED_REST = timedelta(seconds=2)
"""The same once any of them was served: Novu works, and replicas that share executors do not hear of all they let out."""

MOST_DOUBLINGS = 10
"""Enough to reach the longest pause; more would only overflow in an outage of hours."""


class Gate:
    """Whether notifications may be claimed and sent, as far as this replica can tell.

    Closed for a pause when Novu asks for one, cannot serve, or does not know our key. After the
    pause the gate lets out a window of one notification; once all that were let out are served, the
    window doubles, until it is no limit any more. Whoever claims asks `allowance` and reports with
    `spend`; whoever sends tells with `observe`. Each pause is drawn up to a quarter longer, so that
    replicas do not come back in step. For one event loop: no method waits, none is thread-safe.

    Attributes:
        stopped: the key or the address was found wrong, and nothing was served since.
        outage: unknown outcomes are Novu's fault now, and not the notifications'.
        breaker: hears what the gate hears, and turns away what belongs to a workflow that fails by itself.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, jitter: Callable[[], float] = random.random
    ) -> None:
        self.stopped = False
        self.outage = False
        self.breaker = Breaker(clock, jitter)
        self._clock = clock
        self._jitter = jitter
        self._closed_until = clock()
        self._closures = 0  # in a row, nothing served between
        self._unanswered: dict[str, EnterpriseWorkflow] = {}
        self._witness: str | None = None  # whose missing answer closed the gate last
        self._reason: str | None = None
        self._window: int | None = None  # None: wide open
        self._spent = 0
        self._served = 0
        self._window_rests_at = 0.0

    @property
    def pause(self) -> timedelta:
        """How long the gate stays closed; zero if it is open."""
        return timedelta(seconds=max(0.0, self._closed_until - self._clock()))

    @property
    def closed(self) -> bool:
        """Whether nothing may be claimed or sent now."""
        return self._clock() < self._closed_until

    @property
    def reason(self) -> str | None:
        """Why it is closed or not yet trusted, as a sentence; None if all is well."""
        return self._reason if self.closed or self.stopped or self.outage else None

    def status(self) -> dict[str, object]:
        """Tell the gate's state for `/status`."""
        return {
            "closed": self.closed,
            "stopped": self.stopped,
            "outage": self.outage,
            "reason": self.reason,
            "pause_seconds": round(seconds(self.pause), 3),
            "window": self._window,
            "workflows_tripped": self.breaker.tripped,
        }

    def allowance(self, limit: int) -> int:
        """Say how many notifications may be claimed now, at most `limit`; report the claimed to `spend`."""
        if self.closed:
            return 0
        if self._window is None:
            return limit
        if self._clock() >= self._window_rests_at:
            self._open(self._window * 2 if self._served else self._window)
            return self.allowance(limit)
        return min(limit, max(0, self._window - self._spent))

    def spend(self, count: int) -> None:
        """Count notifications as let out; if the gate has closed since they were claimed, they come back."""
        if not self.closed:
            self._spent += count

    def spare(self, count: int) -> None:
        """Let others go in the place of so many that came to their end without a call to Novu."""
        self._spent = max(0, self._spent - count)
        if self._served:
            self._widen()

    def observe(self, source: Sender, outcome: Outcome) -> None:
        """Learn from how a call to Novu ended.

        Args:
            source: who asked; the same notification again is no further witness of an outage.
            outcome: what Novu answered. A call that was never begun is not to be told here.
        """
        self.breaker.observe(source, outcome)
        match outcome:
            case Accepted() | Refused(error=NovuRejected()):
                self._serve()
            case Refused(error=NovuThrottled() as error):
                self.throttle(error)
            case Refused(error=NovuUnauthorized() as error):
                self.stopped = True
                self._back_off(STOPPED_PAUSE, str(error))
            case Refused(error=error):
                asked = error.pause if isinstance(error, NovuUnavailable) else None
                self._back_off(OUTAGE_PAUSE, str(error), asked)
            case Unknown():
                self._miss(source)

    def throttle(self, error: NovuThrottled) -> None:
        """Close for the pause that Novu asks for, whatever it was asked."""
        self._close(error.pause, str(error))

    def limits(self, remaining: int | None, reset: timedelta | None) -> None:
        """Learn Novu's rate limit: with no call remaining, the gate is closed until the reset."""
        if remaining == 0 and reset is not None:
            self._close(reset, "Novu: the rate limit is used up")

    def _serve(self) -> None:
        """Novu serves: forget what was, and widen the window once all that were let out are served.

        A pause already begun stands: the answer may be older than what closed the gate.
        """
        self.stopped = False
        self.outage = False
        self._closures = 0
        self._unanswered.clear()
        if self._window is None or self.closed:
            return
        self._served += 1
        self._window_rests_at = min(self._window_rests_at, self._clock() + seconds(SERVED_REST))
        self._widen()

    def _widen(self) -> None:
        """Begin a window twice as large once all that were let out are served."""
        if self._window is not None and self._served >= self._spent:
            self._open(self._window * 2)

    def _miss(self, source: Sender) -> None:
        others = self.breaker.others_served(source)
        if others and self.breaker.is_tripped(source):
            # What it left unanswered is its own: no witnesses against Novu.
            self._unanswered = {id_: line for id_, line in self._unanswered.items() if line != source.line}
            return
        if len(self._unanswered) < OUTAGE_WITNESSES:
            self._unanswered[source.transaction_id] = source.line
        # A window lets out no more than these: whoever waited for five would hold the outage against each.
        needed = min(OUTAGE_WITNESSES, self._window or OUTAGE_WITNESSES)
        lines = set(self._unanswered.values())
        own = others and len(lines) == 1
        own |= self.breaker.other_enterprises_served(source) and len({line[0] for line in lines}) == 1
        if len(self._unanswered) >= needed and not own:
            self.outage = True
            if source.transaction_id == self._witness:
                return  # twice in a row it would shut everybody out for what may be its own fault
            self._witness = source.transaction_id
            reason = f"Novu: {len(self._unanswered)} notifications in a row got no answer to be trusted"
            self._back_off(OUTAGE_PAUSE, reason)

    def _back_off(
        self, pauses: tuple[timedelta, timedelta], reason: str, asked: timedelta | None = None
    ) -> None:
        """Close for a pause that doubles each time; calls that were already under way count as one."""
        if not self.closed:
            self._closures += 1
        first, longest = pauses
        pause = min(first * 2 ** min(max(self._closures - 1, 0), MOST_DOUBLINGS), longest)
        self._close(max(pause, asked or pause), reason)

    def _close(self, pause: timedelta, reason: str) -> None:
        until = self._clock() + seconds(pause) * (1 + self._jitter() / 4)
        self._closed_until = max(until, self._closed_until)
        self._reason = reason
        self._open(1)

    def _open(self, window: int) -> None:
        """Begin a window: none of it spent, to be renewed if nothing is heard of it."""
        self._window = window if window < WIDE_OPEN else None
        self._spent = 0
        self._served = 0
        self._window_rests_at = max(self._clock(), self._closed_until) + seconds(WINDOW_REST)
