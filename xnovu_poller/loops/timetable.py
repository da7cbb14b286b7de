"""The timetable: when each loop turns, whatever wakes it besides."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from xnovu_poller.lifecycle import seconds


class Timetable:
    """Calls what is entered at its interval, the first time at once."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC)

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

    def stop(self) -> None:
        """Begin no further turn. One that is under way would be cut off: let it end before."""
        self._scheduler.shutdown(wait=False)
