"""The bound on what a process holds in memory: notifications are held by weight, not by number."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MEGABYTE = 1 << 20

MOST_IN_FLIGHT = 32 * MEGABYTE
"""A process holds no more at the same time, in bytes of the rows' text; in Python it takes several times as much."""

MOST_AT_ONCE = 8 * MEGABYTE
"""A hold of many notifications takes no more; those that do not fit are held next."""

_USUAL = 16 * 1024
"""The room for each notification of a group."""


def room_for(count: int) -> int:
    """Return how many bytes a hold of this many notifications may take."""
    return min(max(MEGABYTE, count * _USUAL), MOST_AT_ONCE)


class Reservation:
    """Bytes that were reserved, until the end of the context."""

    def __init__(self, budget: "BytesInFlight", size: int) -> None:
        self._budget = budget
        self.size = size

    def resize(self, size: int) -> None:
        """Reserve the size that turned out, more or less than at first."""
        self._budget.free(self.size - size)
        self.size = size


class BytesInFlight:
    """A budget of bytes. Use it from a single event loop."""

    def __init__(self, limit: int = MOST_IN_FLIGHT) -> None:
        self._limit = limit
        self._left = limit
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def reserve(self, size: int) -> AsyncIterator[Reservation]:
        """Wait until this many bytes are free, at most the whole budget, and reserve them within the context."""
        size = min(size, self._limit)
        while self._left < size:
            self._freed.clear()
            await self._freed.wait()
        self._left -= size
        reservation = Reservation(self, size)
        try:
            yield reservation
        finally:
            reservation.resize(0)

    def free(self, size: int) -> None:
        """Give bytes back."""
        self._left += size
        self._freed.set()
