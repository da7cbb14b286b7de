"""What goes wrong and when: the same for the same seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

WARM_UP_SECONDS = 8.0
"""Before the first fault: how much the undisturbed system accepts is measured here."""

CALM_SECONDS = 8.0
"""After the last fault, while notifications still come in, so that its recovery can be seen."""

SPACING_SECONDS = (7.0, 12.0)
"""From one fault to the next, at least and at most: a run long enough for every kind leaves more time between."""

UNEVEN_SECONDS = 1.0
"""By so much at most two spacings differ from what they would be on average."""


class Kind(StrEnum):
    """What goes wrong, as the table names it."""

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
"""Seconds until it is mended; what is not named here is over at once.

A stall passes the lease (5 s) and the hold (a call's 2 s and 5 s more), so that others take the rows over; Temporal is
away for longer than the lease.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        at: seconds from the beginning.
        kind: what it is.
        replica: which worker is struck, where it is a worker.
    """

    at: float
    kind: Kind
    replica: int

    @property
    def mended_at(self) -> float:
        """Seconds from the beginning until its cause is gone."""
        return self.at + LASTS.get(self.kind, 0.0)


def schedule(seed: int, seconds: float, replicas: int) -> tuple[Fault, ...]:
    """Draw the faults of a run, in order; no kind comes again before all have been.

    Args:
        seed: the same seed gives the same faults.
        seconds: how long notifications come in.
        replicas: how many workers there are.
    """
    draw = random.Random(seed)  # noqa: S311 - to be drawn again, not to be secret
    kinds = _dealt(draw)
    spacing = _spacing(seconds)
    faults = []
    at = WARM_UP_SECONDS
    while at <= seconds - CALM_SECONDS:
        faults.append(Fault(at, next(kinds), draw.randrange(replicas)))
        at += spacing + draw.uniform(-UNEVEN_SECONDS, UNEVEN_SECONDS)
    return tuple(faults)


def _spacing(seconds: float) -> float:
    """Give the mean spacing at which every kind has its turn, within bounds."""
    least, most = SPACING_SECONDS
    return min(max((seconds - WARM_UP_SECONDS - CALM_SECONDS) / len(Kind), least), most)


def _dealt(draw: random.Random) -> Iterator[Kind]:
    """Deal all kinds in a random order, and again."""
    while True:
        yield from draw.sample(list(Kind), len(Kind))
