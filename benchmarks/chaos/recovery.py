"""Recovery: how long it takes after a fault until throughput is as high as before the first fault."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.chaos.schedule import WARM_UP_SECONDS, Fault, Kind

WINDOW_SECONDS = 2.0
"""Count acceptances over windows of this length."""

STEP_SECONDS = 0.1
"""The distance between two windows."""

ENOUGH = 0.9
"""The share of the undisturbed throughput that counts as recovered."""

SETTLING_SECONDS = 3.0
"""The start of the warm-up does not count, because the first notifications meet cold caches."""


@dataclass(frozen=True, slots=True)
class Recoveries:
    """The recoveries from the faults of a kind.

    Attributes:
        seconds: the duration of each recovery that was observed.
        unseen: how many had not recovered when the next fault came.
    """

    seconds: tuple[float, ...]
    unseen: int

    @property
    def injected(self) -> int:
        """How many faults there were."""
        return len(self.seconds) + self.unseen

    @property
    def median(self) -> float | None:
        """The median of the observed recoveries; None if there is none."""
        return median(self.seconds) if self.seconds else None

    @property
    def longest(self) -> float | None:
        """The longest of the observed recoveries; None if there is none."""
        return max(self.seconds, default=None)


class Throughput:
    """Acceptances over time.

    Args:
        accepted_at: when each trigger was accepted, in seconds from the start, in any order.
    """

    def __init__(self, accepted_at: Iterable[float]) -> None:
        self._at: Sequence[float] = sorted(accepted_at)
        self.undisturbed = self.between(SETTLING_SECONDS, WARM_UP_SECONDS)

    def between(self, start: float, end: float) -> float:
        """Return the acceptances per second after `start`, up to `end`."""
        return (bisect_right(self._at, end) - bisect_right(self._at, start)) / (end - start)

    def recovery(self, begins: float, mended: float, ends: float) -> float | None:
        """Measure one recovery.

        Args:
            begins: when the fault began.
            mended: when its cause was gone; if throughput falls more than a window later, it has another reason.
            ends: when the next fault began, or when the last notification was inserted.

        Returns:
            The seconds from the beginning of the fault until throughput was back and, on average, stayed so until the
            end. Zero if it never fell. None if it was not back by the end, or if there was no throughput before.
        """
        if not self.undisturbed:
            return None
        enough = ENOUGH * self.undisturbed
        fallen = False
        for moment in _moments(begins, ends):
            start = moment - WINDOW_SECONDS
            if self.between(start, moment) < enough:
                fallen = fallen or moment <= mended + WINDOW_SECONDS
            # A burst that fills one window is no recovery: throughput must stay up.
            elif fallen and self.between(start, ends) >= enough:
                return moment - begins
        return None if fallen else 0.0


def recoveries(faults: Sequence[Fault], throughput: Throughput, seconds: float) -> dict[Kind, Recoveries]:
    """Measure all recoveries, by kind in the order of `Kind`.

    Args:
        faults: in order.
        seconds: when the last notification was inserted.
    """
    ends = [*(fault.at for fault in faults[1:]), seconds]
    found = [
        (fault.kind, throughput.recovery(fault.at, fault.mended_at, end))
        for fault, end in zip(faults, ends, strict=True)
    ]
    by_kind = {kind: [took for found_kind, took in found if found_kind is kind] for kind in Kind}
    return {
        kind: Recoveries(tuple(took for took in all_ if took is not None), all_.count(None))
        for kind, all_ in by_kind.items()
        if all_
    }


def _moments(begins: float, ends: float) -> Iterator[float]:
    steps = int((ends - begins) / STEP_SECONDS)
    return (begins + step * STEP_SECONDS for step in range(steps + 1))
