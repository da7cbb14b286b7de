"""The timetable: when each loop turns, whatever wakes it besides."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from xnovu_poller.lifecycle import seconds

WATCH_SECONDS = 1.0
"""A clock that is set is noticed within so long, if by more than this."""


class Timetable:
    """Calls what is entered at its interval, the first time at once.

    APScheduler goes by the clock of the day. Where that is set back, all would wait until it has caught
    up: so it is watched beside the one that only counts on, and when it is set, everything is called.
    """

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._watching: asyncio.Task[None] | None = None

    def enter(self, name: str, turn: Callable[[], Awaitable[None]], interval: timedelta) -> None:
        """Enter a loop. It turns a little before or after its time, so that replicas spread out."""
        self._scheduler.add_job(
            turn,
            IntervalTrigger(seconds=seconds(interval), timezone=UTC, jitter=seconds(interval) / 10),
            id=name,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            # A turn that still goes on notes that it was called, and goes on once more.
            max_instances=2,
            misfire_grace_time=None,
        )

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()
        self._watching = asyncio.create_task(self._watch(), name="timetable-watch")

    def stop(self) -> None:
        """Begin no further turn. One that is under way would be cut off: let it end before."""
        self._scheduler.shutdown(wait=False)
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        offset = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            before, offset = offset, time.time() - time.monotonic()
            if abs(offset - before) > WATCH_SECONDS:
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=datetime.now(UTC))
