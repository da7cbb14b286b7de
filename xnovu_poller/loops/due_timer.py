"""The timer of scheduled notifications: it fires at the nearest time, so that they do not wait for the poll."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from xnovu_poller import log
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.pacing import wait_for_event

_log = log.get(__name__)

LONGEST_SECONDS = 60.0
"""Look again after this long even if nothing asks for it: the database notifies only of rows due within two minutes."""

LEAST_SECONDS = 0.1
"""The shortest time between two looks: if a row comes due every millisecond, one turn should take many rows."""

BLIND_SECONDS = 5.0
"""The pause after a look that got no answer."""

_MARGIN_SECONDS = 0.005
"""The timer fires this long after the time, so that the claim finds it passed."""

TimeToNextDue = Callable[[], Awaitable[timedelta | None]]
"""Returns how far ahead the nearest time is, by the database's clock; None if there is none. Past times do not count."""


class DueTimer:
    """Fires when the nearest time of a scheduled notification has come; polling stays the truth.

    A look sees only future times, so the timer also fires for times that have passed since the look before. So no row
    comes due unnoticed between two looks. The timer ignores a row that is due but cannot be claimed, because the loop
    looks again by itself.

    Args:
        time_to_next_due: asks the database for the nearest time.
        fire: turns the scheduled loop.
    """

    def __init__(self, time_to_next_due: TimeToNextDue, fire: Callable[[], Awaitable[None]]) -> None:
        self._time_to_next_due = time_to_next_due
        self._fire = fire
        self._asked = asyncio.Event()
        self._blind = False
        # Anything may have passed before the first look.
        self._due_at = -math.inf

    def look(self) -> None:
        """Look again: a time may have been set, moved or withdrawn."""
        self._asked.set()

    async def run(self) -> None:
        """Look and fire for ever."""
        while True:
            self._asked.clear()
            again_at = await self._look()
            await asyncio.sleep(LEAST_SECONDS)
            if await wait_for_event(self._asked, again_at - time.monotonic()):
                # Let the turns that the same wake-up started go first, and look once for many wake-ups.
                await asyncio.sleep(LEAST_SECONDS)

    def status(self) -> dict[str, float | None]:
        """Describe the timer for /status."""
        known = math.isfinite(self._due_at) and not self._blind
        return {"next_due_in_seconds": round(max(self._due_at - time.monotonic(), 0), 1) if known else None}

    async def _look(self) -> float:
        """Ask for the nearest time, and fire if the time known so far may have passed.

        Returns:
            When to look again, by `time.monotonic`.
        """
        asked = time.monotonic()
        try:
            ahead = await self._time_to_next_due()
        except StoreUnavailable as error:
            if not self._blind:
                _log.warning("due timer is blind", reason=str(error))
            return self._see_nothing(asked)
        except Exception as error:  # noqa: BLE001 - a bug in one look must not end the others
            if not self._blind:
                log.bug(_log, "due timer is blind", error)
            return self._see_nothing(asked)
        answered = time.monotonic()
        passed = answered >= self._due_at
        self._blind = False
        self._due_at = math.inf if ahead is None else asked + ahead.total_seconds()
        if passed:
            await self._fire()
        if ahead is None:
            return answered + LONGEST_SECONDS
        return answered + min(ahead.total_seconds() + _MARGIN_SECONDS, LONGEST_SECONDS)

    def _see_nothing(self, asked: float) -> float:
        """Remember that anything may pass until the next answer; return when to look again."""
        self._blind, self._due_at = True, -math.inf
        return asked + BLIND_SECONDS
