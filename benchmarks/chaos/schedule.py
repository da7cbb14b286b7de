"""The schedule of faults: the same seed gives the same schedule."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

WARM_UP_SECONDS = 8.0
"""The time before the first fault, in which the undisturbed throughput is measured."""

CALM_SECONDS = 8.0
"""The time after the last fault in which notifications are still inserted, so that its recovery can be measured."""

SPACING_SECONDS = (7.0, 12.0)
"""The least and the most time between faults; a run that is long enough for every kind leaves more time."""

UNEVEN_SECONDS = 1.0
"""The most by which a spacing differs from the average."""


class Kind(StrEnum):
    """The kinds of faults, as the table names them."""

    WORKER_KILLED = "worker: SIGKILL"
    WORKER_TERMINATED = "worker: SIGTERM"
    WORKER_STALLED = "worker: SIGSTOP past its lease"
    POSTGRES_RESTARTED = "PostgreSQL: restarted"
    BACKENDS_TERMINATED = "PostgreSQL: all connections cut"
    TEMPORAL_KILLED = "Temporal: SIGKILL, then back"
    ACCEPT_THEN_HANG = "Novu: accepts, never answers"
    ACCEPT_THEN_RESET = "Novu: accepts, then resets"
    RESET_BEFORE_ACCEPT = "Novu: resets at once"
    STATUS_500 = "Novu: answers 500"
    STATUS_503 = "Novu: answers 503"
    THROTTLED = "Novu: answers 429"
    MALFORMED = "Novu: accepts, answers half JSON"
    SLOW = "Novu: accepts after our time-out"
    OMISSION = "Novu: accepts, answers with gaps"
    WRONG_KEY = "Novu: answers 401 once"


LASTS = {
    Kind.WORKER_STALLED: 8.0,
    Kind.POSTGRES_RESTARTED: 2.0,
    Kind.TEMPORAL_KILLED: 6.0,
    **{kind: 2.5 for kind in Kind if kind.startswith("Novu")},
}
"""Seconds until a fault ends; kinds that are not named here end at once.

A stall outlasts the lease (5 s) and the hold (2 s of a call plus 5 s), so that others take over the rows. Temporal is
away for longer than the lease.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the schedule.

    Attributes:
        at: seconds from the start.
        replica: which worker it hits, if it hits a worker.
    """

    at: float
    kind: Kind
    replica: int

    @property
    def mended_at(self) -> float:
        """Seconds from the start until its cause is gone."""
        return self.at + LASTS.get(self.kind, 0.0)


def schedule(seed: int, seconds: float, replicas: int) -> tuple[Fault, ...]:
    """Draw the faults of a run, in order; no kind is repeated before all kinds had their turn.

    Args:
        seed: the same seed gives the same faults.
        seconds: how long notifications are inserted.
        replicas: how many workers there are.
    """
    draw = random.Random(seed)  # noqa: S311 - it must be repeatable, not secret
    kinds = _dealt(draw)
    spacing = _spacing(seconds)
    faults = []
    at = WARM_UP_SECONDS
    while at <= seconds - CALM_SECONDS:
        faults.append(Fault(at, next(kinds), draw.randrange(replicas)))
        at += spacing + draw.uniform(-UNEVEN_SECONDS, UNEVEN_SECONDS)
    return tuple(faults)


def _spacing(seconds: float) -> float:
    """Return the mean spacing with which every kind has its turn, within bounds."""
    least, most = SPACING_SECONDS
    return min(max((seconds - WARM_UP_SECONDS - CALM_SECONDS) / len(Kind), least), most)


def _dealt(draw: random.Random) -> Iterator[Kind]:
    """Deal all kinds in a random order, and again."""
    while True:
        yield from draw.sample(list(Kind), len(Kind))
