"""The timetable: each loop turns at its interval, even if nothing else wakes it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

WATCH_SECONDS = 1.0
"""If somebody sets the system clock by more than this, it is noticed within this time."""


class Timetable:
    """Calls each entry at its interval, the first time at once.

    APScheduler uses the system clock. If somebody sets that clock back, every entry would wait until the clock has
    caught up. So the timetable compares it with the monotonic clock, and calls every entry when it was set.
    """

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._watching: asyncio.Task[None] | None = None

    def enter(self, name: str, turn: Callable[[], Awaitable[None]], interval: timedelta) -> None:
        """Enter a loop. It turns a little before or after its time, so that replicas spread out."""
        seconds = interval.total_seconds()
        self._scheduler.add_job(
            turn,
            IntervalTrigger(seconds=seconds, timezone=UTC, jitter=seconds / 10),
            id=name,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            # A turn in progress notes the call and turns once more.
            max_instances=2,
            misfire_grace_time=None,
        )

    def start(self) -> None:
        """Call every entry now, and then at its interval."""
        self._scheduler.start()
        self._watching = asyncio.create_task(self._watch(), name="timetable-watch")

    def stop(self) -> None:
        """Start no further turn. Call this only when no turn is in progress: a turn would be cut off."""
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
