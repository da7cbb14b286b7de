"""How long it takes until as much is accepted as before anything went wrong."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.chaos.schedule import WARM_UP_SECONDS, Fault, Kind

WINDOW_SECONDS = 2.0
"""Over so long acceptances are counted."""

STEP_SECONDS = 0.1
"""So far apart are the moments at which they are counted."""

ENOUGH = 0.9
"""The part of the undisturbed throughput that counts as recovered."""

SETTLING_SECONDS = 3.0
"""The start of the warm-up does not count: the first notifications meet cold caches."""


@dataclass(frozen=True, slots=True)
class Recoveries:
    """How the faults of one kind went.

    Attributes:
        seconds: of each recovery that was seen.
        unseen: so many had not recovered when the next fault came.
    """

    seconds: tuple[float, ...]
    unseen: int

    @property
    def injected(self) -> int:
        """How many faults there were."""
        return len(self.seconds) + self.unseen

    @property
    def median(self) -> float | None:
        """The median of those that were seen; None if there is none."""
        return median(self.seconds) if self.seconds else None

    @property
    def longest(self) -> float | None:
        """The longest of those that were seen; None if there is none."""
        return max(self.seconds, default=None)


class Throughput:
    """Acceptances over time.

    Args:
        accepted_at: when each trigger was accepted, in seconds from the beginning, in any order.
    """

    def __init__(self, accepted_at: Iterable[float]) -> None:
        self._at: Sequence[float] = sorted(accepted_at)
        self.undisturbed = self.between(SETTLING_SECONDS, WARM_UP_SECONDS)

    def between(self, start: float, end: float) -> float:
        """Give acceptances per second after `start`, up to `end`."""
        return (bisect_right(self._at, end) - bisect_right(self._at, start)) / (end - start)

    def recovery(self, begins: float, mended: float, ends: float) -> float | None:
        """Measure one recovery.

        Args:
            begins: when the fault began.
            mended: when its cause was gone; what falls more than a window later fell for another reason.
            ends: when the next one began, or the notifications ceased.

        Returns:
            Seconds from the fault's beginning until throughput, having fallen, was back and stayed so on
            average until the end; zero if it never fell; None if it was not back by the end, or if there was
            nothing that it could have fallen from.
        """
        if not self.undisturbed:
            return None
        enough = ENOUGH * self.undisturbed
        fallen = False
        for moment in _moments(begins, ends):
            start = moment - WINDOW_SECONDS
            if self.between(start, moment) < enough:
                fallen = fallen or moment <= mended + WINDOW_SECONDS
            # A burst that fills one window is no recovery: what follows has to keep the pace.
            elif fallen and self.between(start, ends) >= enough:
                return moment - begins
        return None if fallen else 0.0


def recoveries(faults: Sequence[Fault], throughput: Throughput, seconds: float) -> dict[Kind, Recoveries]:
    """Measure all recoveries, by kind in the order of `Kind`.

    Args:
        faults: in order.
        throughput: of the whole run.
        seconds: when the notifications ceased.
    """
    ends = [*(fault.at for fault in faults[1:]), seconds]
    found = [
        (fault.kind, throughput.recovery(fault.at, fault.mended_at, end))
        for fault, end in zip(faults, ends, strict=True)
    ]
    by_kind = {kind: [took for one, took in found if one is kind] for kind in Kind}
    return {
        kind: Recoveries(tuple(took for took in all_ if took is not None), all_.count(None))
        for kind, all_ in by_kind.items()
        if all_
    }


def _moments(begins: float, ends: float) -> Iterator[float]:
    steps = int((ends - begins) / STEP_SECONDS)
    return (begins + step * STEP_SECONDS for step in range(steps + 1))
