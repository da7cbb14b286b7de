"""The breaker: if only one workflow of one enterprise fails, one notification at a time probes it, and no other waits."""

import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from xnovu_poller.errors import NovuRejected
from xnovu_poller.lifecycle import Accepted, EnterpriseWorkflow, Origin, Outcome, Refused, Unknown
from xnovu_poller.pacing import doubled

TRIPS_AT = 5
"""Trip a workflow after this many distinct notifications without an answer, if none was answered in between."""

PAUSE = (timedelta(seconds=1), timedelta(minutes=5))
"""The first pause and the longest. Each is twice the last, so no pause is longer than the time of failure before it."""

PROBE_SILENCE = timedelta(seconds=30)
"""A probe without an outcome for this long never reached Novu. The same notification may probe again this long after a
pause."""

SERVED_LATELY = timedelta(minutes=5)
"""If Novu served other workflows within this time, Novu is not down."""

SERVED_KEPT = 2
"""Remember the last two workflows that were served: at least one of them is not the workflow in question."""

TROUBLES_KEPT = 10_000
"""If more workflows than this fail, forget the workflow whose last failure is oldest."""

Key = TypeVar("Key", str, EnterpriseWorkflow)


@dataclass(slots=True)
class _Trouble:
    """The state of a workflow that fails."""

    unanswered: set[str] = field(default_factory=set)
    closures: int = 0
    pause: float = 0.0
    until: float = 0.0
    probe: str | None = None
    probe_expires_at: float = 0.0
    turned_away: bool = False

    @property
    def tripped(self) -> bool:
        return self.closures > 0


class Breaker:
    """Turns away the notifications of a failing workflow, so that they neither wait at Novu nor count failures.

    `TRIPS_AT` notifications in a row without an answer trip an enterprise's workflow. During the pause that follows,
    all its notifications are turned away. After the pause, one notification may be sent as a probe, a different
    notification each time, while the others wait for its outcome. If Novu accepts or rejects a notification, its workflow is
    reset. Use it from a single event loop: no method waits, and none is thread-safe.
    """

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._troubles: OrderedDict[EnterpriseWorkflow, _Trouble] = OrderedDict()
        self._served: OrderedDict[EnterpriseWorkflow, float] = OrderedDict()
        self._enterprises_served: OrderedDict[str, float] = OrderedDict()

    @property
    def tripped(self) -> int:
        """The number of workflows that are tripped."""
        return sum(trouble.tripped for trouble in self._troubles.values())

    def describe(self, most: int) -> list[dict[str, object]]:
        """Describe the workflows that are tripped, those that failed last first, for /status; it names enterprises."""
        tripped = (item for item in reversed(self._troubles.items()) if item[1].tripped)
        return [
            {
                "enterprise": workflow.enterprise_id,
                "workflow_key": workflow.workflow_key,
                "closures": trouble.closures,
                "pause_seconds": round(max(0.0, trouble.until - self._clock()), 3),
            }
            for workflow, trouble in islice(tripped, most)
        ]

    def is_tripped(self, origin: Origin) -> bool:
        """Return whether the workflow of a notification is tripped."""
        trouble = self._troubles.get(origin.workflow)
        return trouble is not None and trouble.tripped

    def wait(self, origin: Origin) -> timedelta | None:
        """Return how long a notification must wait; None if it may be sent now, perhaps as the probe."""
        trouble = self._troubles.get(origin.workflow)
        if trouble is None or not trouble.tripped:
            return None
        now = self._clock()
        if origin.transaction_id == trouble.probe:
            # If it probed twice in a row, the workflow might be blamed for a fault of this notification.
            occupied = trouble.turned_away and now < trouble.until + PROBE_SILENCE.total_seconds()
        else:
            occupied = now < trouble.probe_expires_at
            trouble.turned_away = True
        if now < trouble.until or occupied:
            # While another notification probes, wait a whole pause, or a long backlog would come back every second.
            pause = trouble.until - now if now < trouble.until else trouble.pause
            return timedelta(seconds=pause * (1 + self._jitter() / 4))
        trouble.probe, trouble.turned_away = origin.transaction_id, False
        trouble.probe_expires_at = now + PROBE_SILENCE.total_seconds()
        return None

    def observe(self, origin: Origin, outcome: Outcome) -> None:
        """Learn from the outcome of a call. A refusal that concerns every workflow only ends the probe, so that another may follow."""
        match outcome:
            case Accepted():
                self._troubles.pop(origin.workflow, None)
                self._remember_served(self._served, origin.workflow)
                self._remember_served(self._enterprises_served, origin.enterprise_id)
            case Unknown():
                self._miss(origin)
            case Refused(error=NovuRejected()):
                self._troubles.pop(origin.workflow, None)
            case Refused():
                if origin.workflow in self._troubles:
                    self._troubles[origin.workflow].probe_expires_at = self._clock()

    def anybody_served(self) -> bool:
        """Return whether Novu lately served anybody."""
        return self._were_others_served(self._enterprises_served, None)

    def others_served(self, origin: Origin) -> bool:
        """Return whether Novu lately served another workflow than the origin's."""
        return self._were_others_served(self._served, origin.workflow)

    def other_enterprises_served(self, origin: Origin) -> bool:
        """Return whether Novu lately served another enterprise than the origin's."""
        return self._were_others_served(self._enterprises_served, origin.enterprise_id)

    def _were_others_served(self, served: OrderedDict[Key, float], except_: Key | None) -> bool:
        since = self._clock() - SERVED_LATELY.total_seconds()
        return any(at >= since for key, at in served.items() if key != except_)

    def _miss(self, origin: Origin) -> None:
        trouble = self._troubles.setdefault(origin.workflow, _Trouble())
        self._troubles.move_to_end(origin.workflow)
        if len(self._troubles) > TROUBLES_KEPT:
            self._troubles.popitem(last=False)
        if len(trouble.unanswered) < TRIPS_AT:
            trouble.unanswered.add(origin.transaction_id)
        now = self._clock()
        # Calls that were in flight together count as one.
        if len(trouble.unanswered) < TRIPS_AT or now < trouble.until:
            return
        trouble.pause = doubled(*PAUSE, trouble.closures).total_seconds()
        trouble.closures += 1
        trouble.until = now + trouble.pause * (1 + self._jitter() / 4)
        trouble.probe_expires_at = now

    def _remember_served(self, served: OrderedDict[Key, float], key: Key) -> None:
        served[key] = self._clock()
        served.move_to_end(key)
        if len(served) > SERVED_KEPT:
            served.popitem(last=False)
