"""The short memory of a loop, so that the cost of a claim does not grow with the number of rows claimed before.

The memory is only a hint; a full look is a claim without it. It hides rows that come due late below a mark, and rows that others claim or finish; the
loop sees them when it forgets.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from xnovu_poller.store.notifications.due import ORDERS

REMEMBERED = timedelta(milliseconds=250)
"""How long a memory is trusted; longer if a full look takes more than a tenth of this time."""

REMEMBERED_AT_MOST = timedelta(seconds=1)
"""The longest trust, however long a look takes: a row that came due late is found within this time."""

SLOW_LOOK = timedelta(milliseconds=100)
"""A look that takes longer has read many dead index entries, or many rows in flight."""

Mark = tuple[int, datetime | None]
"""The last row that was taken in an order: its id, and when it came due if the loop's rows have a time."""

_NO_MARK: Mark = (0, None)


class ClaimedRow(Protocol):
    """The columns of a claimed row that a memory reads."""

    id: int
    enterprise_id: str
    index_order: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Memory:
    """The observations of the claims since the last full look.

    Attributes:
        until: when to forget them, by `time.monotonic`.
        in_flight: the number of rows in flight, by enterprise.
        marks: the last row that was taken in each order, by enterprise.
        slow: the look took longer than `SLOW_LOOK`, so do not count rows in flight again before the next look.
    """

    until: float
    in_flight: Mapping[str, int]
    marks: Mapping[str, tuple[Mark, ...]]
    slow: bool = False

    @classmethod
    def of(cls, in_flight: Mapping[str, int], *, looked_from: float, looked_until: float) -> "Memory":
        """Return the memory after a full look, which took from `looked_from` to `looked_until`."""
        took = looked_until - looked_from
        trusted = min(max(REMEMBERED.total_seconds(), 10 * took), REMEMBERED_AT_MOST.total_seconds())
        return cls(looked_until + trusted, in_flight, {}, took > SLOW_LOOK.total_seconds())

    def after(self, rows: Collection[ClaimedRow]) -> "Memory | None":
        """Return the memory after a claim; None if no enterprise got two rows.

        Such a claim may not have seen all enterprises that wait, and leaves few rows behind that a memory could skip.
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
