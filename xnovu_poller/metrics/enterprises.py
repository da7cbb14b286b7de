"""Claims by enterprise, for the busiest only: there are as many enterprises as applications name."""

import collections
import heapq
import time
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import Counter

from xnovu_poller import metrics

RANKED_EVERY = 60.0
"""Seconds after which the busiest are chosen anew; older claims then count half."""

MOST_KNOWN = 10_000
"""The most enterprises whose claims are remembered."""


class BusyEnterprises:
    """Gives the busiest enterprises a series each, which ends when others are busier.

    A series counts from when its enterprise became one of the busiest, so it starts at 0 as after a restart.

    Args:
        shown: the most series; with 0, nothing is counted.
    """

    def __init__(self, shown: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.shown = shown
        self._clock = clock
        self._ranked_at = clock()
        self._claims: dict[str, float] = {}
        self._busiest: dict[str, Counter] = {}

    def count(self, enterprises: Iterable[str]) -> None:
        """Count a claimed row for each of these enterprises."""
        if not self.shown:
            return
        for enterprise, number in collections.Counter(enterprises).items():
            self._claims[enterprise] = self._claims.get(enterprise, 0) + number
            if enterprise not in self._busiest and len(self._busiest) < self.shown:
                self._busiest[enterprise] = metrics.CLAIMED_BY_ENTERPRISE.labels(enterprise)
            if enterprise in self._busiest:
                self._busiest[enterprise].inc(number)
        if len(self._claims) > MOST_KNOWN or self._clock() - self._ranked_at >= RANKED_EVERY:
            self._rank()

    def _rank(self) -> None:
        """Choose the busiest; if too many are known, forget those with the fewest claims."""
        self._ranked_at = self._clock()
        kept = heapq.nlargest(MOST_KNOWN // 2, self._claims.items(), key=lambda item: item[1])
        busiest = [enterprise for enterprise, _ in kept[: self.shown]]
        for enterprise in self._busiest.keys() - set(busiest):
            metrics.CLAIMED_BY_ENTERPRISE.remove(enterprise)
        self._busiest = {each: metrics.CLAIMED_BY_ENTERPRISE.labels(each) for each in busiest}
        self._claims = {enterprise: claims / 2 for enterprise, claims in kept}


BUSY: Final = BusyEnterprises()
"""The enterprises of this process; METRICS_ENTERPRISES sets how many are shown."""
