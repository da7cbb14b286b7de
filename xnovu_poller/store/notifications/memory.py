"""What a loop remembers from one claim to the next, for a moment: so that a claim costs the same whatever lies behind it.

A hint and no more. Rows below a mark that come due late, and what others claim or finish meanwhile, are seen
as soon as it is forgotten.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from xnovu_poller.lifecycle import seconds
from xnovu_poller.store.notifications.due import ORDERS

REMEMBERED = timedelta(milliseconds=250)
"""How long a memory is trusted; longer where to look anew costs more than a tenth of that time."""

REMEMBERED_AT_MOST = timedelta(seconds=1)
"""Whatever it costs to look: a row that came late is found within this time."""

DEAR = timedelta(milliseconds=100)
"""A look that takes longer has met many dead entries, or many rows in flight."""

Mark = tuple[int, datetime | None]
"""The last row that was taken of a lane: its id, and its time if the rows have one."""

_NOTHING: Mark = (0, None)


class ClaimedRow(Protocol):
    """A row of a claim."""

    id: int
    enterprise_id: str
    lane: int
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Memory:
    """What the claims since a look at everything have shown.

    Attributes:
        until: when it is forgotten, by the clock of whoever remembers.
        held: rows in flight, by enterprise.
        marks: the last row taken of each lane, by enterprise.
        dear: to look took so long that not even what is in flight is to be counted before it is forgotten.
    """

    until: float
    held: Mapping[str, int]
    marks: Mapping[str, tuple[Mark, ...]]
    dear: bool = False

    @classmethod
    def of(cls, held: Mapping[str, int], *, looked_from: float, looked_until: float) -> "Memory":
        """Begin with what was in flight before a claim that looked at everything.

        Args:
            held: rows in flight, by enterprise.
            looked_from: when the claim began.
            looked_until: when it ended.
        """
        took = looked_until - looked_from
        worth = max(seconds(REMEMBERED), 10 * took)
        return cls(looked_until + min(worth, seconds(REMEMBERED_AT_MOST)), held, {}, took > seconds(DEAR))

    def after(self, rows: Collection[ClaimedRow]) -> "Memory | None":
        """Learn from a claim; None if it was too small to tell who is due, and nobody has much behind."""
        if len({row.enterprise_id for row in rows}) == len(rows):
            return None
        marks = {name: list(lanes) for name, lanes in self.marks.items()}
        held = Counter(self.held)
        for row in sorted(rows, key=lambda row: (row.time is not None and row.time.timestamp(), row.id)):
            held[row.enterprise_id] += 1
            marks.setdefault(row.enterprise_id, [_NOTHING] * ORDERS)[row.lane] = (row.id, row.time)
        return replace(self, held=held, marks={name: tuple(lanes) for name, lanes in marks.items()})
