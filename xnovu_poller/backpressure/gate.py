"""The gate: closed while Novu cannot serve, so that an outage delays notifications instead of failing them."""

import random
import time
from collections.abc import Callable
from datetime import timedelta

from xnovu_poller.backpressure.breaker import Breaker
from xnovu_poller.backpressure.window import Window
from xnovu_poller.errors import NovuRejected, NovuThrottled, NovuUnauthorized, NovuUnavailable
from xnovu_poller.lifecycle import Accepted, EnterpriseWorkflow, Origin, Outcome, Refused, Unknown
from xnovu_poller.pacing import doubled

OUTAGE_WITNESSES = 5
"""This many distinct notifications in a row without an answer mean an outage, not bad notifications; fewer while the
window is smaller. If all belong to one workflow and Novu serves others, the fault is the workflow's."""

OUTAGE_PAUSE = (timedelta(seconds=1), timedelta(minutes=1))
"""The first pause of an outage and the longest; each is twice the last."""

STOPPED_PAUSE = (timedelta(seconds=30), timedelta(minutes=5))
"""The first and the longest pause while the key or the address is wrong, which only a person can correct."""


class Gate:
    """Whether notifications may be claimed and sent, as far as this process knows.

    The gate closes for a pause when Novu asks for a pause, cannot serve, or does not accept our key. After the pause it
    opens a window of one notification. When all notifications of a window are served, the window doubles, until there
    is no limit any more. Before you claim, ask `allowance`; after you claim, call `spend`; after you send, call
    `observe`. Each pause is extended at random by up to a quarter, so that replicas do not return in step. Use it from
    a single event loop: no method waits, and none is thread-safe.

    Attributes:
        stopped: the key or the address was wrong, and nothing has been served since.
        outage: unknown outcomes are Novu's fault now, and do not count against notifications.
        breaker: observes the same outcomes, and turns away the notifications of a workflow that fails by itself.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, jitter: Callable[[], float] = random.random
    ) -> None:
        self.stopped = False
        self.outage = False
        self.breaker = Breaker(clock, jitter)
        self._clock = clock
        self._jitter = jitter
        self._window = Window(clock)
        self._closed_until = clock()
        self._closures = 0  # in a row: nothing was served in between
        self._unanswered: dict[str, EnterpriseWorkflow] = {}
        self._witness: str | None = None  # the notification whose missing answer last closed the gate
        self._reason: str | None = None

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
        """Why the gate is closed or Novu is not trusted yet, as a sentence; None if all is well."""
        return self._reason if self.closed or self.stopped or self.outage else None

    def status(self) -> dict[str, object]:
        """Describe the gate for /status."""
        return {
            "closed": self.closed,
            "stopped": self.stopped,
            "outage": self.outage,
            "reason": self.reason,
            "pause_seconds": round(self.pause.total_seconds(), 3),
            "window": self._window.size,
            "workflows_tripped": self.breaker.tripped,
        }

    def allowance(self, limit: int) -> int:
        """Return how many notifications may be claimed now, at most `limit`; report the claimed number to `spend`."""
        return 0 if self.closed else self._window.allowance(limit)

    def spend(self, count: int) -> None:
        """Count claimed notifications. If the gate has closed since, they do not count, because they will be released."""
        if not self.closed:
            self._window.spend(count)

    def refund(self, count: int) -> None:
        """Give back the share of notifications that ended without a call to Novu, so that others can use it."""
        self._window.refund(count)

    def observe(self, origin: Origin, outcome: Outcome) -> None:
        """Learn from the outcome of a call to Novu. Do not report a call that was never made.

        Args:
            origin: the notification that was sent; it witnesses an outage only once.
        """
        self.breaker.observe(origin, outcome)
        match outcome:
            case Accepted() | Refused(error=NovuRejected()):
                self._serve()
            case Refused(error=NovuThrottled() as error):
                self.throttle(error)
            case Refused(error=NovuUnauthorized() as error):
                self.stopped = True
                self._back_off(STOPPED_PAUSE, str(error))
            case Refused(error=error):
                requested = error.pause if isinstance(error, NovuUnavailable) else None
                self._back_off(OUTAGE_PAUSE, str(error), requested)
            case Unknown():
                self._miss(origin)

    def throttle(self, error: NovuThrottled) -> None:
        """Close for the pause that Novu asked for; any of its endpoints may ask."""
        self._close(error.pause, str(error))

    def limit_rate(self, remaining: int | None, reset: timedelta | None) -> None:
        """Close until the reset of Novu's rate limit if no call remains."""
        if remaining == 0 and reset is not None:
            self._close(reset, "Novu: the rate limit is used up")

    def _serve(self) -> None:
        """Forget the failures so far, and count the served notification.

        A pause in progress stays, because the answer may be older than the reason for the pause.
        """
        self.stopped = False
        self.outage = False
        self._closures = 0
        self._unanswered.clear()
        if not self.closed:
            self._window.serve()

    def _miss(self, origin: Origin) -> None:
        """Count a notification without an answer as a witness of an outage, unless only its workflow fails."""
        others_served = self.breaker.others_served(origin)
        if others_served and self.breaker.is_tripped(origin):
            # The missing answers are the workflow's own fault, so its notifications are no witnesses against Novu.
            self._unanswered = {
                id_: workflow for id_, workflow in self._unanswered.items() if workflow != origin.workflow
            }
            return
        if len(self._unanswered) < OUTAGE_WITNESSES:
            self._unanswered[origin.transaction_id] = origin.workflow
        if len(self._unanswered) >= self._witnesses_needed() and not self._is_own_fault(
            origin, others_served
        ):
            self.outage = True
            if origin.transaction_id == self._witness:
                return  # a notification that closed the gate twice in a row might delay all others for its own fault
            self._witness = origin.transaction_id
            reason = f"Novu: {len(self._unanswered)} notifications in a row got no reliable answer"
            self._back_off(OUTAGE_PAUSE, reason)

    def _witnesses_needed(self) -> int:
        """Return how many witnesses prove an outage: a small window can never have more of them than its size."""
        return min(OUTAGE_WITNESSES, self._window.size or OUTAGE_WITNESSES)

    def _is_own_fault(self, origin: Origin, others_served: bool) -> bool:  # noqa: FBT001 - private, with one caller
        """Return whether all witnesses belong to one workflow, or one enterprise, while Novu serves others."""
        workflows = set(self._unanswered.values())
        if others_served and len(workflows) == 1:
            return True
        enterprises = {workflow.enterprise_id for workflow in workflows}
        return self.breaker.other_enterprises_served(origin) and len(enterprises) == 1

    def _back_off(
        self, pauses: tuple[timedelta, timedelta], reason: str, requested: timedelta | None = None
    ) -> None:
        """Close for a pause that doubles each time; calls that were in flight together count as one."""
        if not self.closed:
            self._closures += 1
        first, longest = pauses
        pause = doubled(first, longest, self._closures - 1)
        self._close(max(pause, requested or pause), reason)

    def _close(self, pause: timedelta, reason: str) -> None:
        until = self._clock() + pause.total_seconds() * (1 + self._jitter() / 4)
        self._closed_until = max(until, self._closed_until)
        self._reason = reason
        self._window.open(1, since=self._closed_until)
