"""The conductor: sees that the deployment's orchestration stands in Temporal, and calls for it when rules change."""

import asyncio
import math
import time
from datetime import timedelta
from typing import Protocol

from xnovu_poller import log
from xnovu_poller.errors import HandoffError
from xnovu_poller.lifecycle import seconds

_log = log.get(__name__)

ENSURED_EVERY = timedelta(minutes=10)
"""Somebody may have deleted it meanwhile."""

FIRST_REST, LONGEST_REST = timedelta(seconds=1), timedelta(seconds=30)
"""While it cannot be ensured."""

RING_SECONDS = 1.2
"""Between two rings: Temporal names a run by its second, and starts none while another of its name is open."""

LONGEST_PAUSE_SECONDS = 10.0
"""The pause grows up to this while rings keep coming: whoever may write a rule is not to keep all at work."""


class Ensured(Protocol):
    """What is to stand in Temporal, and to be rung for: the orchestration."""

    async def ensure(self) -> None:
        """Make it, or bring it to what it is to be; a person's pause stays."""

    async def ring(self) -> None:
        """Call for a run now, unless it is paused."""


class Conductor:
    """Ensures the orchestration again and again, and rings for it at the start and when rules change.

    What is rung for is not waited for, and a ring that is lost costs no more than the schedule's interval.

    Args:
        orchestra: the orchestration.
        first_rest: after the first failure; the rests grow.

    Attributes:
        fault: why Temporal would not have it, for as long as it would not.
    """

    def __init__(self, orchestra: Ensured, *, first_rest: timedelta = FIRST_REST) -> None:
        self._orchestra = orchestra
        self._first_rest = first_rest
        self._rung = asyncio.Event()
        self._rung.set()
        self._twice = False
        self._pause = RING_SECONDS
        self._ensured_until = -math.inf
        self.fault: str | None = None

    def ring(self) -> None:
        """Call for a run now, and for one behind it: the first may meet one that has read the rules already.

        Many calls within a moment are no more than that.
        """
        self._twice = True
        self._rung.set()

    @property
    def ensured(self) -> bool:
        """Whether Temporal has it, as far as we know."""
        return math.isfinite(self._ensured_until)

    async def run(self) -> None:
        """Ensure and ring for ever, whatever becomes of Temporal."""
        rest = self._first_rest
        while True:
            if await self._conducted():
                rest = self._first_rest
                await asyncio.sleep(self._pause)
                # After a pause without a ring the next one is heard at once again.
                self._pause = (
                    min(self._pause * 2, LONGEST_PAUSE_SECONDS) if self._rung.is_set() else RING_SECONDS
                )
                await self._rung_or_due()
            else:
                await asyncio.sleep(seconds(rest))
                rest = min(rest * 2, LONGEST_REST)

    async def _conducted(self) -> bool:
        """Do what is to be done, or tell once why it cannot be; then all of it is to be done again."""
        try:
            if time.monotonic() >= self._ensured_until:
                await self._orchestra.ensure()
                self._ensured_until = time.monotonic() + seconds(ENSURED_EVERY)
            if self._rung.is_set():
                twice, self._twice = self._twice, False
                self._rung.clear()
                await self._orchestra.ring()
                if twice:
                    self._rung.set()
        except HandoffError as error:
            self._fail(str(error))
            return False
        except Exception as error:  # noqa: BLE001 - the edge of a loop: a bug in one call is not to end the others
            self._fail(f"a bug: {type(error).__name__}", at=log.trace(error))
            return False
        if self.fault is not None:
            _log.info("orchestration ensured")
        self.fault = None
        return True

    def _fail(self, reason: str, **told: object) -> None:
        if self.fault is None:
            _log.warning("orchestration not ensured", reason=reason, **told)
        self.fault, self._ensured_until = reason, -math.inf
        self.ring()

    async def _rung_or_due(self) -> None:
        try:
            async with asyncio.timeout(self._ensured_until - time.monotonic()):
                await self._rung.wait()
        except TimeoutError:
            pass
