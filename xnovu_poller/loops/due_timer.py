"""The alarm: a timer to the nearest set time, so that what is scheduled need not wait for the poll."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from xnovu_poller import log
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.lifecycle import seconds

_log = log.get(__name__)

LONGEST_SECONDS = 60.0
"""Then it looks again, though nothing was said: the database says at once only what is due within two minutes."""

LEAST_SECONDS = 0.1
"""Between two looks: where a row comes due each millisecond, one turn takes many."""

BLIND_SECONDS = 5.0
"""After a look without an answer."""

_BEHIND_SECONDS = 0.005
"""So long after the set time it rings: the claim is to find it passed."""

NextDue = Callable[[], Awaitable[timedelta | None]]
"""Says by the database's clock how far ahead the nearest set time is; None where none is. What has passed is not told."""


class Alarm:
    """Rings when the nearest set time has come; polling stays the truth.

    Each look tells of the future alone, so whatever passed since the one before is rung for after it: between
    two looks nothing comes due unheard. A row that is due and cannot be claimed is no longer its business, but
    the loop's, which looks again by itself.

    Args:
        next_due: says how far ahead the nearest set time is.
        ring: turns the scheduled loop.
    """

    def __init__(self, next_due: NextDue, ring: Callable[[], Awaitable[None]]) -> None:
        self._next_due = next_due
        self._ring = ring
        self._told = asyncio.Event()
        self._blind = False
        # Before the first look anything may have passed.
        self._due_at = -math.inf

    def look(self) -> None:
        """Look again: a time may have been set, moved or taken back."""
        self._told.set()

    async def run(self) -> None:
        """Look and ring for ever."""
        while True:
            self._told.clear()
            again_at = await self._look()
            await asyncio.sleep(LEAST_SECONDS)
            if await self._told_before(again_at):
                # Behind the turns for which the same word calls, and once for many words.
                await asyncio.sleep(LEAST_SECONDS)

    def status(self) -> dict[str, float | None]:
        """Tell how far ahead the nearest set time is, for /status."""
        known = math.isfinite(self._due_at) and not self._blind
        return {"next_due_in_seconds": round(max(self._due_at - time.monotonic(), 0), 1) if known else None}

    async def _told_before(self, deadline: float) -> bool:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await self._told.wait()
        except TimeoutError:
            return False

    async def _look(self) -> float:
        """Ask for the nearest set time, and ring if the one that was known may have passed.

        Returns:
            When to look again, by the clock that only counts on.
        """
        asked = time.monotonic()
        try:
            ahead = await self._next_due()
        except StoreUnavailable as error:
            self._see_nothing(str(error))
            return asked + BLIND_SECONDS
        except Exception as error:  # noqa: BLE001 - the edge of a loop: a bug in one look is not to end the others
            self._see_nothing(f"a bug: {type(error).__name__}", at=log.trace(error))
            return asked + BLIND_SECONDS
        answered = time.monotonic()
        passed = answered >= self._due_at
        self._blind = False
        self._due_at = math.inf if ahead is None else asked + seconds(ahead)
        if passed:
            await self._ring()
        if ahead is None:
            return answered + LONGEST_SECONDS
        return answered + min(seconds(ahead) + _BEHIND_SECONDS, LONGEST_SECONDS)

    def _see_nothing(self, reason: str, **told: object) -> None:
        """Tell once why there is no answer; whatever passes meanwhile is rung for after the next one."""
        if not self._blind:
            _log.warning("alarm is blind", reason=reason, **told)
        self._blind, self._due_at = True, -math.inf
