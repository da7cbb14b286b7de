"""How long the queue becomes, with executors and rivals that are simulated at a clock of the test."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from xnovu_poller.store.notifications.queue import LEAST, NOTHING_LEARNT, WAIT, Queue

BATCH = 100
QUEUED_SECONDS = 2
"""As in the condition of a queued row."""

LOOK, PAUSE = 0.02, 0.1
"""Seconds between two claims, and after a claim for which there was no room."""

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Deployment:
    """Rows in the order of their claims, and executors that begin `rate` of them a second; the backlog never ends.

    Attributes:
        rate: rows that the executors begin in a second.
        queues: as each loop sees the rows.
        stuck: rows that stay claimed, because their application has locked them.
        waits: for how long each row that was begun had waited, with the moment at which it was begun.
        starved: for how many seconds executors had nothing to do.
    """

    rate: float
    queues: list[Queue] = field(default_factory=lambda: [NOTHING_LEARNT])
    stuck: list[float] = field(default_factory=list)
    now: float = 0.0
    queued: deque[float] = field(default_factory=deque)
    waits: list[tuple[float, float]] = field(default_factory=list)
    starved: float = 0.0
    owed: float = 0.0

    def run(self, seconds: float) -> None:
        """Let time pass; the loops take turns."""
        ends = self.now + seconds
        while self.now < ends:
            for number in range(len(self.queues)):
                self.work(LOOK if self.claim(number) else PAUSE)

    def claim(self, number: int) -> bool:
        """Let a loop claim as the statement does; return whether there was room."""
        queue = self.queues[number]
        seen = [each for each in (*self.stuck, *self.queued) if each > self.now - QUEUED_SECONDS]
        room = queue.most - len(seen)
        claimed = min(BATCH, room) if room >= queue.needed(BATCH) else 0
        newest = -1.0 if queue.newest is None else (queue.newest - EPOCH).total_seconds()
        left = sum(newest - QUEUED_SECONDS < each <= newest + 1e-6 for each in (*self.stuck, *self.queued))
        self.queued.extend([self.now] * claimed)
        self.queues[number] = queue.after(len(seen), left, claimed, moment(self.now), self.now)
        return claimed > 0

    def work(self, seconds: float) -> None:
        """Let the executors begin rows, the oldest first."""
        self.now += seconds
        self.owed += seconds * self.rate
        while self.owed >= 1 and self.queued:
            self.waits.append((self.now, self.now - self.queued.popleft()))
            self.owed -= 1
        if self.owed >= 1:
            self.starved += self.owed / self.rate
            self.owed = 0.0

    def longest_wait(self, since: float) -> float:
        """Return the longest wait of the rows that were begun since a moment."""
        return max(wait for begun, wait in self.waits if begun >= since)


def moment(seconds: float) -> datetime:
    """Return a moment as the database's clock shows it."""
    return EPOCH + timedelta(seconds=seconds)


@pytest.mark.parametrize("loops", [1, 3])
@pytest.mark.parametrize("rate", [100, 1000, 4000])
def test_rows_wait_briefly_and_executors_never(rate: int, loops: int) -> None:
    """Soon after the first claim the queue fits the rate, however many loops claim."""
    deployment = Deployment(rate, [NOTHING_LEARNT] * loops)
    deployment.run(loops * LEAST / rate + 2)
    settled, begun = deployment.now, deployment.starved
    deployment.run(10)

    assert deployment.longest_wait(since=settled) <= 2 * WAIT
    assert deployment.starved - begun <= 0.1


def test_the_first_rows_of_slow_executors_wait_no_longer_than_the_first_claim() -> None:
    """Nothing is learnt yet, so the first claim is a full one."""
    deployment = Deployment(rate=50)
    deployment.run(10)

    assert deployment.longest_wait(since=0) <= LEAST / 50 + WAIT


@pytest.mark.parametrize(("before", "after"), [(4000, 100), (100, 4000)])
def test_it_follows_executors_that_become_slower_or_faster(before: int, after: int) -> None:
    """What was claimed for the former rate leaves first; after that, rows wait as briefly as ever."""
    deployment = Deployment(before)
    deployment.run(5)
    deployment.rate = after
    deployment.run(1.5 * before * WAIT / after + 3)
    settled, begun = deployment.now, deployment.starved
    deployment.run(10)

    assert deployment.longest_wait(since=settled) <= 2 * WAIT
    assert deployment.starved - begun <= 0.1


def test_locked_rows_do_not_shorten_it() -> None:
    """An enterprise that locks half of the queue takes places for a moment, and does not make the executors look slow."""
    deployment = Deployment(rate=1000)
    deployment.run(5)
    deployment.stuck = [deployment.queued.pop() for _ in range(deployment.queues[0].most // 2)]
    deployment.run(QUEUED_SECONDS + 1)
    settled, begun = deployment.now, deployment.starved
    deployment.run(10)

    assert deployment.longest_wait(since=settled) <= 2 * WAIT
    assert deployment.starved - begun <= 0.1


def test_a_claim_is_never_tiny() -> None:
    """There must be room for a full claim, or for half of the queue."""
    assert [Queue(most=most).needed(100) for most in (10, 100, 1000)] == [5, 50, 100]


def test_a_pause_without_rows_teaches_nothing() -> None:
    """Whether the executors were slow or had nothing to do cannot be known after it."""
    full = NOTHING_LEARNT.after(0, 0, LEAST, moment(0), 0.0)

    for later in (1.0, 60.0):
        assert full.idle().after(0, 0, LEAST, moment(later), later).most == LEAST
        assert full.after(0, 0, LEAST, moment(later), later).most == 2 * LEAST


def test_few_rows_teach_nothing() -> None:
    """As long as the executors keep up, the rows that leave are those that came."""
    queue = NOTHING_LEARNT
    for second in range(100):
        queue = queue.after(3, 0, 3, moment(second), float(second))

    assert queue.most == LEAST


def test_it_is_never_so_short_that_executors_stop() -> None:
    """If nothing leaves, as while Temporal is away, a few rows may still be queued."""
    queue = NOTHING_LEARNT
    for second in range(0, 20, 2):
        queue = queue.after(queue.most, queue.seen, 1, moment(second), float(second))

    assert queue.most == LEAST
    grown = [
        queue := queue.after(0, 0, queue.most, moment(second), second / 10) for second in range(200, 205)
    ]
    assert all(later.most <= 2 * earlier.most for earlier, later in pairwise(grown))


def test_there_is_always_room_for_a_full_group() -> None:
    """Executors that stop shorten it to a group, not further."""
    queue = Queue.with_groups_of(500).after(0, 0, 500, moment(0), 0.0)

    assert queue.most == 500
    assert queue.after(500, 500, 0, moment(5), 5.0).most == 500
    assert Queue.with_groups_of(1).most == LEAST
