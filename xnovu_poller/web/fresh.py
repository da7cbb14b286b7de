"""An answer that many requests share, so that requests cost no more than one each second."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

FRESH_SECONDS = 1.0
"""Requests within this time share an answer."""

PACE_SECONDS = 0.005
"""The least time between two readers of an answer, so that clients in a loop cannot occupy the event loop."""

Answer = TypeVar("Answer")


class Fresh(Generic[Answer]):
    """Makes an answer at most once in some seconds, and never twice at the same time.

    Args:
        seconds: None for FRESH_SECONDS.
    """

    def __init__(self, make: Callable[[], Awaitable[Answer]], seconds: float | None = None) -> None:
        self._make = make
        self._seconds = seconds
        self._making = asyncio.Lock()
        self._answers: list[Answer] = []
        self._fresh_until = 0.0

    async def read(self) -> Answer:
        """Return the last answer while it is fresh, else make another; readers wait for their turn."""
        async with self._making:
            if not self._answers or time.monotonic() >= self._fresh_until:
                self._answers[:] = [await self._make()]
                self._fresh_until = time.monotonic() + (
                    FRESH_SECONDS if self._seconds is None else self._seconds
                )
            else:
                await asyncio.sleep(PACE_SECONDS)
            return self._answers[0]
