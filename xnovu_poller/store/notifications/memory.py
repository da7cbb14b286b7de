"""What a loop remembers for a moment, so that a claim costs the same however much was claimed before.

The memory is only a hint. It hides rows that come due late below a mark, and what others claim or
finish; the loop sees them as soon as it forgets.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from xnovu_poller.store.notifications.due import ORDERS

REMEMBERED = timedelta(milliseconds=250)
"""How long a memory is trusted; longer if a full look costs more than a tenth of that time."""

REMEMBERED_AT_MOST = timedelta(seconds=1)
"""The longest trust, also if a look costs more: a row that came due late is found within this time."""

SLOW_LOOK = timedelta(milliseconds=100)
"""A look that takes longer has met many dead index entries, or many rows in flight."""

Mark = tuple[int, datetime | None]
"""The last row taken in an order: its id, and when it came due if the loop's rows have a time."""

_NO_MARK: Mark = (0, None)


class ClaimedRow(Protocol):
    """A row of a claim."""

    id: int
    enterprise_id: str
    index_order: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Memory:
    """What the claims have shown since the last full look.

    Attributes:
        until: when to forget it, by this process's monotonic clock.
        in_flight: rows in flight, by enterprise.
        marks: the last row taken in each order, by enterprise.
        slow: rows in flight are not counted again before it is forgotten, because the look took long.
    """

    until: float
    in_flight: Mapping[str, int]
    marks: Mapping[str, tuple[Mark, ...]]
    slow: bool = False

    @classmethod
    def of(cls, in_flight: Mapping[str, int], *, looked_from: float, looked_until: float) -> "Memory":
        """Begin a memory with a claim that looked at everything.

        Args:
            in_flight: rows in flight before the claim, by enterprise.
            looked_from: when the claim began.
            looked_until: when it ended.
        """
        took = looked_until - looked_from
        trusted = min(max(REMEMBERED.total_seconds(), 10 * took), REMEMBERED_AT_MOST.total_seconds())
        return cls(looked_until + trusted, in_flight, {}, took > SLOW_LOOK.total_seconds())

    def after(self, rows: Collection[ClaimedRow]) -> "Memory | None":
        """Return the memory after a claim; None if no enterprise got two rows.

        A claim that small may not have seen all enterprises that wait, and none of them has much behind it.
        """
        if len({row.enterprise_id for row in rows}) == len(rows):
            return None
        marks = {enterprise: list(orders) for enterprise, orders in self.marks.items()}
        in_flight = Counter(self.in_flight)
        for row in sorted(rows, key=lambda row: (row.due_at is not None and row.due_at.timestamp(), row.id)):
            in_flight[row.enterprise_id] += 1
            orders = marks.setdefault(row.enterprise_id, [_NO_MARK] * ORDERS)
            orders[row.index_order] = (row.id, row.due_at)
        return replace(
            self,
            in_flight=in_flight,
            marks={enterprise: tuple(orders) for enterprise, orders in marks.items()},
        )
