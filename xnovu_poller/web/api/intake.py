"""What the bodies of an enterprise may take of a process: a few places for large bodies, and a share of the processor."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from weakref import WeakValueDictionary

from starlette.requests import Request

from xnovu_poller.delivery.shares import Shares
from xnovu_poller.errors import Unfinished

LARGE_BYTES = 65_536
"""A larger body has a place from its first byte to the answer; so has a body of unknown length."""

PLACES, PLACES_OF_ONE = 8, 2
"""The large bodies that a process holds at a time, and those of an enterprise; others wait unread."""

Result = TypeVar("Result")


class Intake:
    """Keeps the bodies of one enterprise from costing others memory or time: beyond its part, an enterprise waits.

    To check a body takes the event loop, at worst 0.7 s for 5 MB. So it counts towards a share, as heavy templates do. The share
    is not that of templates, because a person who tries those must not keep notifications from being sent.

    Args:
        shares: of the time that checks take.
    """

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._places = asyncio.Semaphore(PLACES)
        self._of_one: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def hold_place(self, request: Request, enterprise: str) -> AsyncIterator[None]:
        """Wait for a place, if the body of a request is large."""
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" not in request.headers and (
            not length.isdecimal() or int(length) <= LARGE_BYTES
        ):
            yield
            return
        async with self._of_one.setdefault(enterprise, asyncio.Semaphore(PLACES_OF_ONE)):
            # It is not read before it could be checked.
            await self.check(enterprise, lambda: None)
            async with self._places:
                yield

    async def check(self, enterprise: str, work: Callable[[], Result]) -> Result:
        """Check a body as soon as its enterprise has a share left."""
        while True:
            try:
                return await self._shares.do(enterprise, work)
            except Unfinished as error:
                await asyncio.sleep(error.pause.total_seconds())
