"""The breaker: a workflow of one enterprise that fails alone is probed by one notification at a time; no other waits."""

import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from xnovu_poller.errors import NovuRejected
from xnovu_poller.lifecycle import Accepted, EnterpriseWorkflow, Outcome, Refused, Sender, Unknown
from xnovu_poller.pacing import doubled

TRIPS_AT = 5
"""This many distinct notifications of one workflow without an answer, with none answered in between, trip it."""

PAUSE = (timedelta(seconds=1), timedelta(minutes=5))
"""The first pause and the longest; each is twice the last, so no pause is longer than the workflow has failed."""

PROBE_SILENCE = timedelta(seconds=30)
"""A probe not heard of for this long never reached Novu. The same notification may probe again this long after a pause."""

SERVED_LATELY = timedelta(minutes=5)
"""If Novu served others within this time, Novu is not down."""

SERVED_KEPT = 2
"""Two of the workflows that were served last are enough to know: at least one is not the workflow in question."""

TROUBLES_KEPT = 10_000
"""With more failing workflows than this, the one not heard of for the longest is forgotten."""

Key = TypeVar("Key", str, EnterpriseWorkflow)


@dataclass(slots=True)
class _Trouble:
    """What is known of a workflow that fails."""

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
    """Turns the notifications of a failing workflow away, so that they do not wait at Novu and count no failures.

    `TRIPS_AT` notifications of an enterprise's workflow without an answer in a row trip it. During the pause
    that follows, all of its notifications are turned away. After the pause one may be sent as a probe, a different one
    each time, and the others wait for its outcome. Any answer resets it. For one event loop: no method waits,
    and none is thread-safe.
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

    def is_tripped(self, sender: Sender) -> bool:
        """Return whether the workflow of a notification is tripped."""
        trouble = self._troubles.get(sender.workflow)
        return trouble is not None and trouble.tripped

    def wait(self, sender: Sender) -> timedelta | None:
        """Return how long a notification has to wait; None if it may be sent, as the probe if one is due."""
        trouble = self._troubles.get(sender.workflow)
        if trouble is None or not trouble.tripped:
            return None
        now = self._clock()
        if sender.transaction_id == trouble.probe:
            # Probing twice in a row would blame the workflow for what may be this notification's own fault.
            occupied = trouble.turned_away and now < trouble.until + PROBE_SILENCE.total_seconds()
        else:
            occupied = now < trouble.probe_expires_at
            trouble.turned_away = True
        if now < trouble.until or occupied:
            # While another one probes, wait a whole pause: otherwise a long backlog would come round every second.
            pause = trouble.until - now if now < trouble.until else trouble.pause
            return timedelta(seconds=pause * (1 + self._jitter() / 4))
        trouble.probe, trouble.turned_away = sender.transaction_id, False
        trouble.probe_expires_at = now + PROBE_SILENCE.total_seconds()
        return None

    def observe(self, sender: Sender, outcome: Outcome) -> None:
        """Learn from how a call ended; a refusal that Novu gives everybody says nothing about one workflow."""
        match outcome:
            case Accepted():
                self._troubles.pop(sender.workflow, None)
                self._remember_served(self._served, sender.workflow)
                self._remember_served(self._enterprises_served, sender.enterprise_id)
            case Unknown():
                self._miss(sender)
            case Refused(error=NovuRejected()):
                self._troubles.pop(sender.workflow, None)
            case Refused():
                if sender.workflow in self._troubles:
                    self._troubles[sender.workflow].probe_expires_at = self._clock()

    def others_served(self, sender: Sender) -> bool:
        """Return whether Novu lately served another workflow than this one."""
        return self._were_others_served(self._served, sender.workflow)

    def other_enterprises_served(self, sender: Sender) -> bool:
        """Return whether Novu lately served another enterprise than this one."""
        return self._were_others_served(self._enterprises_served, sender.enterprise_id)

    def _were_others_served(self, served: OrderedDict[Key, float], except_: Key) -> bool:
        since = self._clock() - SERVED_LATELY.total_seconds()
        return any(at >= since for key, at in served.items() if key != except_)

    def _miss(self, sender: Sender) -> None:
        trouble = self._troubles.setdefault(sender.workflow, _Trouble())
        self._troubles.move_to_end(sender.workflow)
        if len(self._troubles) > TROUBLES_KEPT:
            self._troubles.popitem(last=False)
        if len(trouble.unanswered) < TRIPS_AT:
            trouble.unanswered.add(sender.transaction_id)
        now = self._clock()
        # Calls that were already in flight count as one.
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
