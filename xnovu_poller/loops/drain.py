"""The driver of a loop: it turns the loop until nothing is left to do."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from xnovu_poller import log, metrics
from xnovu_poller.errors import XnovuError
from xnovu_poller.pacing import wait_for_event

_log = log.get(__name__)

LONG_LOOK = timedelta(seconds=0.2)
"""After a look for nothing that took no longer, another turn may follow at once."""

_RESTS = 3
_LONGEST_REST = timedelta(seconds=1)
"""After a longer look, the loop rests for three times as long, so that such looks do not fill a core. On a loaded machine every look
may be long, so the rest must be short beside the three seconds that a hostile tenant may delay others."""


class Loop(Protocol):
    """A part that works in turns: a polling loop, the rescuer or the canceller."""

    @property
    def name(self) -> str:
        """Its name in logs, metrics and /status."""

    @property
    def interval(self) -> timedelta:
        """The pause after a turn that found nothing to do."""

    async def turn(self) -> timedelta:
        """Do one portion of work. Return the pause before the next turn, which is zero if there is more to do."""

    def stop(self) -> None:
        """Start no further run: claims that are not handed off yet are released."""


def rest_after(look: timedelta) -> timedelta:
    """Return how long a loop rests after a look that found nothing, although somebody calls it."""
    return min(_RESTS * look, _LONGEST_REST) if look > LONG_LOOK else timedelta(0)


class Drain:
    """Turns a loop until it has nothing to do; never two turns at the same time.

    Args:
        rest: how long to rest after a look of some length that found nothing.

    Attributes:
        last_error: the code of the error with which the last turn failed; None if it did not.
        bug: the kind of the error with which the last turn crashed; None if it did not.
    """

    def __init__(self, loop: Loop, rest: Callable[[timedelta], timedelta] = rest_after) -> None:
        self.name = loop.name
        self._loop = loop
        self._rest = rest
        self._turning = asyncio.Lock()
        self._called = False
        self._stopped = asyncio.Event()
        self._turns = 0
        self._succeeded_at = time.monotonic()
        self._turned_at: datetime | None = None
        self.last_error: str | None = None
        self.bug: str | None = None

    async def drain(self) -> None:
        """Turn now. If a turn is in progress, return at once; another turn follows it."""
        self._called = True
        if self._turning.locked():
            return
        async with self._turning:
            while self._called and not self._stopped.is_set():
                self._called = False
                begun = time.monotonic()
                pause = await self._turn()
                if pause < self._loop.interval:
                    self._called = True
                else:
                    pause = self._rest(timedelta(seconds=time.monotonic() - begun))
                if pause:
                    await wait_for_event(self._stopped, pause.total_seconds())

    async def stop(self) -> None:
        """Wait for the turn in progress, and start no other."""
        self._stopped.set()
        async with self._turning:
            pass

    @property
    def age(self) -> timedelta:
        """For how long no turn has succeeded; before the first turn, since the start."""
        return timedelta(seconds=time.monotonic() - self._succeeded_at)

    @property
    def lag(self) -> timedelta:
        """The same beyond the interval; zero while the loop is on time."""
        return max(timedelta(0), self.age - self._loop.interval)

    @property
    def interval(self) -> timedelta:
        """The pause after a turn that found nothing to do."""
        return self._loop.interval

    def status(self) -> Mapping[str, object]:
        """Describe the loop for /status."""
        return {
            "turns": self._turns,
            "turning": self._turning.locked(),
            "last_turn_at": self._turned_at and self._turned_at.isoformat(timespec="milliseconds"),
            "last_error": self.last_error,
            "interval_seconds": self.interval.total_seconds(),
            "lag_seconds": round(self.lag.total_seconds(), 3),
        }

    async def _turn(self) -> timedelta:
        begun = time.monotonic()
        try:
            pause = await self._loop.turn()
        except XnovuError as error:
            _log.warning("turn failed", loop=self.name, error=error.code, reason=str(error))
            self.last_error = error.code
            return self._loop.interval
        except Exception as error:  # noqa: BLE001 - a bug in one turn must not end the others
            log.bug(_log, "turn failed", error, loop=self.name)
            self.last_error = self.bug = type(error).__name__
            return self._loop.interval
        self._succeeded_at, self._turned_at = time.monotonic(), datetime.now(UTC)
        metrics.TURN_SECONDS.labels(self.name).observe(self._succeeded_at - begun)
        self._turns += 1
        self.last_error = self.bug = None
        return pause
