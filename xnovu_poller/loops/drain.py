"""The driver of a loop: it turns the loop until nothing is left to do."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from xnovu_poller import log, metrics
from xnovu_poller.errors import XnovuError
from xnovu_poller.pacing import wait_for_event

_log = log.get(__name__)


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


class Drain:
    """Turns a loop until it has nothing to do; never two turns at the same time."""

    def __init__(self, loop: Loop) -> None:
        self.name = loop.name
        self._loop = loop
        self._turning = asyncio.Lock()
        self._called = False
        self._stopped = asyncio.Event()
        self._turns = 0
        self._last_error: str | None = None

    async def drain(self) -> None:
        """Turn now. If a turn is in progress, return at once; another turn follows it."""
        self._called = True
        if self._turning.locked():
            return
        async with self._turning:
            while self._called and not self._stopped.is_set():
                self._called = False
                pause = await self._turn()
                if pause < self._loop.interval:
                    self._called = True
                    if pause:
                        await wait_for_event(self._stopped, pause.total_seconds())

    async def stop(self) -> None:
        """Wait for the turn in progress, and start no other."""
        self._stopped.set()
        async with self._turning:
            pass

    def status(self) -> Mapping[str, object]:
        """Describe the loop for /status."""
        return {"turns": self._turns, "turning": self._turning.locked(), "last_error": self._last_error}

    async def _turn(self) -> timedelta:
        begun = time.monotonic()
        try:
            pause = await self._loop.turn()
        except XnovuError as error:
            _log.warning("turn failed", loop=self.name, error=error.code, reason=str(error))
            self._last_error = error.code
            return self._loop.interval
        except Exception as error:  # noqa: BLE001 - a bug in one turn must not end the others
            log.bug(_log, "turn failed", error, loop=self.name)
            self._last_error = type(error).__name__
            return self._loop.interval
        metrics.TURN_SECONDS.labels(self.name).observe(time.monotonic() - begun)
        self._turns += 1
        self._last_error = None
        return pause
