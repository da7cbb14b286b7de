"""The keeper of the chores: it makes sure that their schedule exists, and asks for a run when rules change."""

import asyncio
import math
import time
from datetime import timedelta
from typing import Protocol

from xnovu_poller import log
from xnovu_poller.errors import TemporalError
from xnovu_poller.pacing import Backoff, wait_for_event

_log = log.get(__name__)

ENSURED_EVERY = timedelta(seconds=30)
"""A person may have deleted the schedule meanwhile, or Temporal lost its history with all schedules."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=30)
"""While Temporal does not answer, or refuses the schedule."""

REQUEST_PAUSE, LONGEST_REQUEST_PAUSE = timedelta(seconds=1.2), timedelta(seconds=3)
"""Between two requests for a run. Temporal names a run by its second and drops a second one of the same name. The pause
grows while requests keep coming, so that a writer of rules cannot keep every worker busy; it stays short, so that others'
changes do not wait for that writer."""


class Schedule(Protocol):
    """What the keeper needs of the chores' schedule in Temporal."""

    async def ensure(self) -> bool:
        """Create the schedule, or bring it up to date; a person's pause stays. Return whether it was missing."""

    async def request_run(self) -> None:
        """Request a run now, unless a person has paused the schedule."""


class ChoreKeeper:
    """Ensures the schedule of the chores again and again, and requests runs at the start and when rules change.

    The keeper does not wait for a requested run. A request that is lost costs no more than the schedule's interval.

    Args:
        schedule: of the chores.
        every: how often the schedule is ensured.
        first_pause: after the first failure; the pauses grow.

    Attributes:
        fault: why the schedule could not be ensured, for as long as that lasts.
    """

    def __init__(
        self, schedule: Schedule, *, every: timedelta = ENSURED_EVERY, first_pause: timedelta = FIRST_PAUSE
    ) -> None:
        self._schedule = schedule
        self._every = every
        self._backoff = Backoff(first_pause, LONGEST_PAUSE)
        self._request_backoff = Backoff(REQUEST_PAUSE, LONGEST_REQUEST_PAUSE)
        self._requested = asyncio.Event()
        self._requested.set()
        self._twice = False
        self._ensured_until = -math.inf
        self.fault: str | None = None

    def request_run(self) -> None:
        """Request a run now, and one after it: the first may join a run that has already read the rules.

        Many calls within a moment make only these two.
        """
        self._twice = True
        self._requested.set()

    @property
    def is_ensured(self) -> bool:
        """Whether the schedule exists in Temporal, as far as we know."""
        return math.isfinite(self._ensured_until)

    async def run(self) -> None:
        """Ensure and request for ever, even while Temporal is away."""
        while True:
            if not await self._keep():
                await asyncio.sleep(self._backoff.next().total_seconds())
                continue
            self._backoff.reset()
            await asyncio.sleep(self._request_backoff.next().total_seconds())
            if not self._requested.is_set():
                self._request_backoff.reset()
            await wait_for_event(self._requested, self._ensured_until - time.monotonic())

    async def _keep(self) -> bool:
        """Make the calls that are due; return whether Temporal has accepted it. After a failure everything is due again."""
        try:
            await self._ensure_and_request()
        except TemporalError as error:
            return self._fail(str(error), error)
        except Exception as error:  # noqa: BLE001 - a bug in one call must not end the others
            return self._fail(f"a bug: {type(error).__name__}", error)
        if self.fault is not None:
            _log.info("chores scheduled")
        self.fault = None
        return True

    async def _ensure_and_request(self) -> None:
        if time.monotonic() >= self._ensured_until:
            if await self._schedule.ensure():
                self._requested.set()  # all schedules of rules may be missing too
            self._ensured_until = time.monotonic() + self._every.total_seconds()
        if self._requested.is_set():
            twice, self._twice = self._twice, False
            self._requested.clear()
            await self._schedule.request_run()
            if twice:
                self._requested.set()

    def _fail(self, fault: str, error: Exception) -> bool:
        """Log a fault once, and make everything due again."""
        if self.fault is None:
            _log.warning("chores not scheduled", reason=fault, at=log.trace(error))
        self.fault, self._ensured_until = fault, -math.inf
        self.request_run()
        return False
