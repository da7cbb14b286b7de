"""How many claimed rows may wait for an executor, learnt from how fast they leave.

Whom to serve is decided by a claim, and not changed afterwards: a row that comes now waits behind all that were claimed
before. So only as many rows are claimed ahead as are begun within about half a second.
Source: docs/adr/0023-short-queues.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime

WAIT = 0.5
"""Seconds for which a claimed row should wait until its send begins."""

LEAST = 50
"""How many rows may wait in any case, and as long as nothing is learnt: about half a second of runs of their own on two
cores. A smaller number would let an enterprise that keeps locking its rows make the executors look slow to all."""

QUEUED = "n.send_until IS NULL AND n.claimed_at > clock_timestamp() - interval '2 seconds'"
"""The condition of a queued row: a claimed row whose send has not begun. A row that has waited longer does not wait for its
turn, but for a lock of its application or because of a fault; it is in flight, but takes no place in the queue."""

MEASURED = """n.send_until IS NULL AND n.claimed_at <= CAST(:newest AS timestamptz)
            AND n.claimed_at > CAST(:newest AS timestamptz) - interval '2 seconds'"""
"""The condition of a row that was queued when the measurement began, and still is."""


@dataclass(frozen=True, slots=True)
class Queue:
    """The claimed rows of the deployment whose send has not begun, as a loop sees them.

    The loop measures: it remembers how many rows were queued after a claim, and looks later how many of these still are.
    Little's law: the rows that may be queued are those that leave in a second, times the seconds that they may wait.

    Attributes:
        most: how many rows may be queued.
        queued: how many were queued after the last claim.
        seen: how many rows were queued when the measurement began; 0 if there is none.
        newest: when the last of them was claimed, by the database's clock.
        began: when the measurement began, by `time.monotonic`.
        least: `most` is never below this.
    """

    most: int = LEAST
    queued: int = 0
    seen: int = 0
    newest: datetime | None = None
    began: float = 0.0
    least: int = LEAST

    @classmethod
    def with_groups_of(cls, size: int) -> "Queue":
        """Return the queue as a loop sees it at first: there is always room for a full group."""
        return cls(max(size, LEAST), least=max(size, LEAST))

    @property
    def room(self) -> int:
        """How many further rows may be queued, as far as the loop remembers."""
        return max(0, self.most - self.queued)

    def needed(self, limit: int) -> int:
        """Return for how many rows there must be room: for a full claim or half of the queue, so that no claim is tiny."""
        return min(limit, self.most // 2)

    def after(self, queued: int, left: int, claimed: int, newest: datetime, now: float) -> "Queue":
        """Return the queue after a claim; learn from it if enough of the measured rows have left.

        Args:
            queued: how many rows were queued before the claim.
            left: how many of the measured rows were still among them.
            claimed: how many rows the claim added.
            newest: when the last of these was claimed.
            now: by `time.monotonic`.
        """
        gone, seconds, most = self.seen - left, max(now - self.began, 0.001), self.most
        # Fewer rows than half of what may be queued show how many came, not how many can leave.
        if 2 * self.seen >= self.most:
            if 4 * gone < self.seen and seconds < 2 * WAIT:
                return replace(self, queued=queued + claimed)
            most = min(round(gone / seconds * WAIT), 2 * self.most)
            if left == 0:
                # More may have left than these. If nothing is queued, the executors may have waited for rows.
                most = max(most, self.most) if queued else 2 * self.most
        return Queue(max(most, self.least), queued + claimed, queued + claimed, newest, now, self.least)

    def grown(self, claimed: int) -> "Queue":
        """Return the queue after a claim that did not count."""
        return replace(self, queued=self.queued + claimed)

    def idle(self) -> "Queue":
        """Return the queue after a look that found no due row: the measurement would count the time without rows."""
        return replace(self, seen=0)


NOTHING_LEARNT = Queue()
"""The queue as a loop sees it at first."""
