"""The deaths of the last minutes: many of one cause need a person, although the worker itself is well."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta

from xnovu_poller import metrics
from xnovu_poller.metrics.counts import count_dead
from xnovu_poller.web.health import ProbeAnswer

MANY_DEATHS = 10
"""/health is degraded if this many notifications became DEAD of one code within WINDOW."""

WINDOW = timedelta(minutes=10)

_SAMPLE_SECONDS = 10.0
"""Remember the counters this often."""


class DeathWatcher:
    """Compares the counters of deaths with those of WINDOW ago.

    Args:
        source: the counters of this process and its children, which begin at 0.
        clock: in seconds.
    """

    def __init__(self, source: metrics.Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._samples: deque[tuple[float, Mapping[str, float]]] = deque([(clock(), {})])

    def judge(self) -> ProbeAnswer:
        """Return whether many notifications became DEAD of one code."""
        now, totals = self._clock(), count_dead(self._source)
        while len(self._samples) > 1 and self._samples[1][0] <= now - WINDOW.total_seconds():
            self._samples.popleft()
        since, before = self._samples[0]
        if now - self._samples[-1][0] >= _SAMPLE_SECONDS:
            self._samples.append((now, totals))
        grown = {code: total - before.get(code, 0.0) for code, total in totals.items()}
        code = max(grown, key=lambda code: grown[code])
        if grown[code] < MANY_DEATHS:
            return ProbeAnswer("healthy")
        minutes = max(1, round((now - since) / 60))
        detail = f"deliveries: {grown[code]:.0f} notifications became DEAD in the last {minutes} min ({code})"
        return ProbeAnswer("degraded", f"{detail}; look the code up in docs/runbook.md")
