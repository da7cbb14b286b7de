"""Which enterprise's workflow fails by itself: it is tried by one notification at a time, and nobody else waits."""

import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from xnovu_poller.errors import NovuRejected
from xnovu_poller.lifecycle import Accepted, EnterpriseWorkflow, Outcome, Refused, Sender, Unknown, seconds

TRIPS_AT = 5
"""So many different notifications of one workflow without an answer, none answered between."""

PAUSE = (timedelta(seconds=1), timedelta(minutes=5))
"""The first pause and the longest; each is twice the one before, so nobody waits longer than it has failed."""

MOST_DOUBLINGS = 10

PROBE_REST = timedelta(seconds=30)
"""A probe not heard of for so long never reached Novu; and so long after a pause the same one may probe again."""

SERVED_LATELY = timedelta(minutes=5)
"""If Novu served others within this time, it is not Novu that is down."""

SERVED_LAST = 2
"""So many workflows served last are enough: one of them is another than any."""

Key = TypeVar("Key", str, EnterpriseWorkflow)

REMEMBERED = 10_000
"""More failing workflows than this are not told apart: the longest unheard of is forgotten."""


@dataclass(slots=True)
class _Trouble:
    """What is known of a workflow that fails."""

    unanswered: set[str] = field(default_factory=set)
    closures: int = 0
    pause: float = 0.0
    until: float = 0.0
    probe: str | None = None
    probe_rests_at: float = 0.0
    turned_away: bool = False

    @property
    def tripped(self) -> bool:
        return self.closures > 0


class Breaker:
    """Turns the notifications of a failing workflow away, so that they neither wait at Novu nor count failures.

    A workflow of an enterprise is tripped by `TRIPS_AT` notifications without an answer in a row. During
    the pause that follows all of its notifications are turned away; after it one may be sent as a probe,
    a different one each time, and the others wait for what becomes of it. Any answer mends it. For one
    event loop: no method waits, none is thread-safe.
    """

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._troubles: OrderedDict[EnterpriseWorkflow, _Trouble] = OrderedDict()
        self._served: OrderedDict[EnterpriseWorkflow, float] = OrderedDict()
        self._enterprises_served: OrderedDict[str, float] = OrderedDict()

    @property
    def tripped(self) -> int:
        """How many workflows are tripped."""
        return sum(trouble.tripped for trouble in self._troubles.values())

    def is_tripped(self, source: Sender) -> bool:
        """Whether the workflow of a notification is tripped."""
        trouble = self._troubles.get(source.line)
        return trouble is not None and trouble.tripped

    def wait(self, source: Sender) -> timedelta | None:
        """Say how long a notification is to wait; None: it may be sent, as the probe if one is due."""
        trouble = self._troubles.get(source.line)
        if trouble is None or not trouble.tripped:
            return None
        now = self._clock()
        if source.transaction_id == trouble.probe:
            # Twice in a row it would blame the workflow for what may be its own fault.
            others = trouble.turned_away and now < trouble.until + seconds(PROBE_REST)
        else:
            others = now < trouble.probe_rests_at
            trouble.turned_away = True
        if now < trouble.until or others:
            # Who comes while another probes waits a whole pause: a long backlog is not to go round and round.
            rest = trouble.until - now if now < trouble.until else trouble.pause
            return timedelta(seconds=rest * (1 + self._jitter() / 4))
        trouble.probe, trouble.turned_away = source.transaction_id, False
        trouble.probe_rests_at = now + seconds(PROBE_REST)
        return None

    def observe(self, source: Sender, outcome: Outcome) -> None:
        """Learn from how a call ended; what Novu refuses to everybody says nothing of one workflow."""
        match outcome:
            case Accepted():
                self._troubles.pop(source.line, None)
                self._remember_served(self._served, source.line)
                self._remember_served(self._enterprises_served, source.enterprise_id)
            case Unknown():
                self._miss(source)
            case Refused(error=NovuRejected()):
                self._troubles.pop(source.line, None)
            case Refused():
                if source.line in self._troubles:
                    self._troubles[source.line].probe_rests_at = self._clock()

    def others_served(self, source: Sender) -> bool:
        """Whether Novu lately served another workflow than this one."""
        return self._lately(self._served, source.line)

    def other_enterprises_served(self, source: Sender) -> bool:
        """Whether Novu lately served another enterprise than this one."""
        return self._lately(self._enterprises_served, source.enterprise_id)

    def _lately(self, served: OrderedDict[Key, float], but: Key) -> bool:
        since = self._clock() - seconds(SERVED_LATELY)
        return any(at >= since for key, at in served.items() if key != but)

    def _miss(self, source: Sender) -> None:
        trouble = self._troubles.setdefault(source.line, _Trouble())
        self._troubles.move_to_end(source.line)
        if len(self._troubles) > REMEMBERED:
            self._troubles.popitem(last=False)
        if len(trouble.unanswered) < TRIPS_AT:
            trouble.unanswered.add(source.transaction_id)
        now = self._clock()
        # Calls that were already under way count as one.
        if len(trouble.unanswered) < TRIPS_AT or now < trouble.until:
            return
        first, longest = PAUSE
        trouble.pause = seconds(min(first * 2 ** min(trouble.closures, MOST_DOUBLINGS), longest))
        trouble.closures += 1
        trouble.until = now + trouble.pause * (1 + self._jitter() / 4)
        trouble.probe_rests_at = now

    def _remember_served(self, served: OrderedDict[Key, float], key: Key) -> None:
        served[key] = self._clock()
        served.move_to_end(key)
        if len(served) > SERVED_LAST:
            served.popitem(last=False)
