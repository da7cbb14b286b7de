"""The gate: closed while Novu cannot serve, so that an outage delays notifications instead of failing them."""

import random
import time
from collections.abc import Callable
from datetime import timedelta

from xnovu_poller import log
from xnovu_poller.backpressure.breaker import Breaker
from xnovu_poller.backpressure.suspects import Suspects
from xnovu_poller.backpressure.window import Window
from xnovu_poller.errors import (
    NovuBlocked,
    NovuError,
    NovuRejected,
    NovuThrottled,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import (
    Accepted,
    EnterpriseWorkflow,
    ErrorDetails,
    Origin,
    Outcome,
    Refused,
    Unknown,
)

_log = log.get(__name__)

OUTAGE_WITNESSES = 5
"""This many distinct notifications in a row without an answer mean an outage, not bad notifications; fewer while the
window is smaller. If all belong to one workflow and Novu serves others, the fault is the workflow's."""

REFUSAL_WITNESSES = 3
"""The same for refusals, which are definite answers."""

PAUSE = (timedelta(seconds=1), timedelta(minutes=1))
"""The first pause and the longest; each is twice the last."""

LONGEST_IN_DOUBT = timedelta(seconds=2)
"""The longest pause while all witnesses belong to one enterprise, or Novu served somebody `JUST_NOW`: the fault may be
theirs, and others must not wait for it."""

JUST_NOW = timedelta(seconds=10)
"""If nobody was served for this long, refusals of several enterprises are no longer taken for their own faults."""

MOST_PROBES = 16
"""While the refusals may be the notifications' own fault, open at most this many places, to find a notification that is served."""


class Gate:
    """Whether notifications may be claimed and sent, as far as this process knows, and whose fault a refusal is.

    The gate closes for a pause when Novu asks for a pause, cannot be reached, or serves nobody. After the pause it
    opens a window of one notification. When all notifications of a window are served, the window doubles, until there
    is no limit any more. Before you claim, ask `allowance`; after you claim, call `spend`; after you send, call
    `observe`. Each pause is extended at random by up to a quarter, so that replicas do not return in step. Use it from
    a single event loop: no method waits, and none is thread-safe.

    A refusal that does not concern only its own notification by Novu's word may be the fault of the key, the address or
    Novu, or of that notification. It is the fault of the former if several notifications are refused and nobody is served
    between. It is the notification's own if Novu serves others meanwhile (docs/adr/0017). While Novu served somebody just
    now, that is in doubt: the pauses stay short, and neither `stopped` nor `outage` is set.

    Attributes:
        stopped: the key or the address is wrong, and nothing has been served since.
        outage: Novu serves nobody, so failures do not count against notifications.
        breaker: observes the same outcomes, and turns away the notifications of a workflow that fails by itself.
        suspects: observes the same refusals, and decides which notification is at fault.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, jitter: Callable[[], float] = random.random
    ) -> None:
        self.stopped = False
        self.outage = False
        self.breaker = Breaker(clock, jitter)
        self.suspects = Suspects(clock)
        self._clock = clock
        self._jitter = jitter
        self._window = Window(clock)
        self._closed_until = clock()
        self._closures = 0  # in a row: nothing was served in between
        self._last_pause = timedelta(0)  # of these
        self._served_at = float("-inf")
        self._witnesses: dict[str, EnterpriseWorkflow] = {}  # since somebody was served
        self._missed: set[str] = set()  # the witnesses since the gate opened
        self._last_witness: str | None = None  # the notification that last closed the gate
        self._details: ErrorDetails | None = None
        self._opening_logged = True

    @property
    def pause(self) -> timedelta:
        """How long the gate stays closed; zero if it is open."""
        return timedelta(seconds=max(0.0, self._closed_until - self._clock()))

    @property
    def closed(self) -> bool:
        """Whether nothing may be claimed or sent now."""
        return self._clock() < self._closed_until

    @property
    def details(self) -> ErrorDetails | None:
        """Why the gate is closed or Novu is not trusted yet; None if all is well."""
        return self._details if self.closed or self.stopped or self.outage else None

    @property
    def reason(self) -> str | None:
        """The same as a sentence."""
        return None if self.details is None else self.details.message

    def status(self) -> dict[str, object]:
        """Describe the gate for /status."""
        return {
            "closed": self.closed,
            "stopped": self.stopped,
            "outage": self.outage,
            "reason": self.reason,
            "pause_seconds": self.pause.total_seconds(),
            "window": self._window.size,
            "workflows_tripped": self.breaker.tripped,
        }

    def now(self) -> float:
        """Return the time by the gate's clock; a caller reads it before a call, for `observe`."""
        return self._clock()

    def allowance(self, limit: int) -> int:
        """Return how many notifications may be claimed now, at most `limit`; report the claimed number to `spend`."""
        self._log_opening()
        return 0 if self.closed else self._window.allowance(limit)

    def spend(self, count: int) -> None:
        """Count claimed notifications. If the gate has closed since, they do not count, because they will be released."""
        if not self.closed:
            self._window.spend(count)

    def refund(self, count: int) -> None:
        """Give back the share of notifications that ended without a call to Novu, so that others can use it."""
        self._window.refund(count)

    def observe(self, origin: Origin, outcome: Outcome, *, began_at: float | None = None) -> None:
        """Learn from the outcome of a call to Novu. Do not report a call that was never made.

        Args:
            origin: the notification that was sent.
            outcome: how the call ended.
            began_at: when the call began, by `now`; None for now.
        """
        self._log_opening()
        self.breaker.observe(origin, outcome)
        match outcome:
            case Accepted() | Refused(error=NovuRejected()):
                self.suspects.serve(origin.transaction_id, self._clock() if began_at is None else began_at)
                self._serve()
            case Refused(error=NovuThrottled() as error):
                self.throttle(error)
            case Refused(error=error) if not error.answered:
                # Not a byte of the notification was sent, so it cannot be at fault.
                self.outage = True
                self._back_off(ErrorDetails.of(error), PAUSE[1])
            case Refused(error=error):
                self._dispute(origin, error)
            case Unknown():
                self.miss(origin)

    def miss(self, origin: Origin, bug: str | None = None) -> None:
        """Count a notification without an answer as a witness of an outage, unless only its workflow fails.

        Args:
            origin: the notification.
            bug: the bug of ours that kept it from being sent; None if Novu gave no answer.
        """
        others_served = self.breaker.others_served(origin)
        if others_served and self.breaker.is_tripped(origin):
            # The missing answers are the workflow's own fault, so its notifications are no witnesses against Novu.
            self._witnesses = {
                id_: workflow for id_, workflow in self._witnesses.items() if workflow != origin.workflow
            }
            return
        if self._testify(origin) >= min(OUTAGE_WITNESSES, self._window.size or OUTAGE_WITNESSES) and not (
            self._is_own_fault(origin)
        ):
            self.outage = True
            got = "got no reliable answer" if bug is None else f"met a bug ({bug})"
            reason = f"Novu: {len(self._witnesses)} notifications in a row {got}"
            self._close_by(origin, ErrorDetails(NovuUnavailable.code, reason))

    def throttle(self, error: NovuThrottled) -> None:
        """Close for the pause that Novu asked for; any of its endpoints may ask."""
        self._close(error.pause, ErrorDetails.of(error))

    def limit_rate(self, remaining: int | None, reset: timedelta | None) -> None:
        """Close until the reset of Novu's rate limit if no call remains."""
        if remaining == 0 and reset is not None:
            self._close(reset, ErrorDetails(NovuThrottled.code, "Novu: the rate limit is used up"))

    def _serve(self) -> None:
        """Forget the failures so far, and count the served notification.

        A pause in progress stays, because the answer may be older than the reason for the pause.
        """
        self.stopped = False
        self.outage = False
        self._closures = 0
        self._served_at = self._clock()
        self._witnesses.clear()
        self._missed.clear()
        if not self.closed:
            self._window.serve()

    def _dispute(self, origin: Origin, error: NovuError) -> None:
        """Close the gate if a refusal is everybody's; otherwise let others go first."""
        self.suspects.refuse(origin.transaction_id)
        if self.suspects.is_guilty(origin.transaction_id) or not self._is_everybodys(origin, error):
            self._window.refund(1)
            return
        requested = None
        if not self._is_doubtful:
            self.stopped |= isinstance(error, NovuUnauthorized | NovuBlocked)
            self.outage |= isinstance(error, NovuUnavailable)
            requested = error.pause if isinstance(error, NovuUnavailable) else None
        self._close_by(origin, ErrorDetails.of(error), requested)
        if self._searches(error):
            # The refused notifications may only be first in the queue, so look at more and more of those behind them.
            self._window.open(min(2**self._closures, MOST_PROBES), since=self._closed_until)

    def _is_everybodys(self, origin: Origin, error: NovuError) -> bool:
        """Return whether enough notifications were refused, and Novu does not serve others while it refuses these.

        A single witness is enough if nothing speaks against it: Novu's own word unless it lately served another
        enterprise, and a stranger's if Novu lately served nobody.
        """
        blocked = isinstance(error, NovuBlocked)
        missed, size = self._testify(origin), self._window.size
        if blocked and self._closures == 0 and not self.breaker.anybody_served():
            return True
        if not blocked and not self.breaker.other_enterprises_served(origin):
            return True
        if self._is_own_fault(origin):
            return False
        if size is not None and self._searches(error):
            return missed >= min(size, MOST_PROBES)
        return missed >= min(REFUSAL_WITNESSES, size or REFUSAL_WITNESSES)

    def _testify(self, origin: Origin) -> int:
        """Add a witness; return how many there are since the gate opened."""
        self._witnesses.pop(origin.transaction_id, None)
        self._witnesses[origin.transaction_id] = origin.workflow
        if len(self._witnesses) > OUTAGE_WITNESSES:
            # The newest stay: an enterprise must not keep out those who come after it.
            del self._witnesses[next(iter(self._witnesses))]
        if len(self._missed) < MOST_PROBES:
            self._missed.add(origin.transaction_id)
        return len(self._missed)

    def _is_own_fault(self, origin: Origin) -> bool:
        """Return whether all witnesses belong to one workflow, or one enterprise, while Novu serves others."""
        if self.breaker.others_served(origin) and len(set(self._witnesses.values())) == 1:
            return True
        return self.breaker.other_enterprises_served(origin) and self._enterprises == 1

    @property
    def _is_doubtful(self) -> bool:
        """Whether refusals of several enterprises may be their own fault, because Novu served somebody just now."""
        return self._enterprises > 1 and self._clock() - self._served_at < JUST_NOW.total_seconds()

    def _searches(self, error: NovuError) -> bool:
        """Return whether the gate looks behind the refused notifications, until somebody is served."""
        return self._is_doubtful or (isinstance(error, NovuBlocked) and self._enterprises == 1)

    @property
    def _enterprises(self) -> int:
        return len({workflow.enterprise_id for workflow in self._witnesses.values()})

    def _close_by(self, origin: Origin, details: ErrorDetails, requested: timedelta | None = None) -> None:
        """Close because of a witness, unless it closed the gate last: it might delay all others for its own fault."""
        if origin.transaction_id == self._last_witness:
            self._details = details
            self._window.refund(1)
            return
        self._last_witness = origin.transaction_id
        in_doubt = self._enterprises == 1 or self._is_doubtful
        self._back_off(details, LONGEST_IN_DOUBT if in_doubt else PAUSE[1], requested)

    def _back_off(
        self, details: ErrorDetails, longest: timedelta, requested: timedelta | None = None
    ) -> None:
        """Close for a pause that doubles each time; calls that were in flight together count as one."""
        if not self.closed:
            self._closures += 1
            self._last_pause = min(2 * self._last_pause, longest) if self._closures > 1 else PAUSE[0]
        self._close(max(self._last_pause, requested or self._last_pause), details)

    def _close(self, pause: timedelta, details: ErrorDetails) -> None:
        until = self._clock() + pause.total_seconds() * (1 + self._jitter() / 4)
        if not self.closed:
            self._opening_logged = False
            report = _log.warning if self._closures <= 1 else _log.info
            self._missed.clear()
            report("gate closed", reason=details.message, pause_seconds=round(until - self._clock(), 1))
        self._closed_until = max(until, self._closed_until)
        self._details = details
        self._window.open(1, since=self._closed_until)

    def _log_opening(self) -> None:
        """Log, at the first look after a pause, that it is over."""
        if not self._opening_logged and not self.closed:
            self._opening_logged = True
            _log.info("gate opened", reason=self.reason)
