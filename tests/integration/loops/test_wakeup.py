"""The wake-up: at once, and again for commits that were late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from tests.support.logs import logged_in_full
from tests.support.rows import Db, a_notification, a_rule, a_workflow
from tests.support.waiting import eventually
from xnovu_poller.loops.wakeup import AFTER_SECONDS, WakeupListener
from xnovu_poller.store.listen import Listener


class WakeCounts:
    """Counts wake-ups, and changes of rules."""

    def __init__(self) -> None:
        self.count = 0
        self.rules = 0
        self.bug: Exception | None = None

    async def wake(self) -> None:
        """Count a wake-up."""
        self.count += 1

    def rules_changed(self) -> None:
        """Count a change, and fail once if a bug is set."""
        self.rules += 1
        if self.bug is not None:
            bug, self.bug = self.bug, None
            raise bug


@asynccontextmanager
async def listening(url: str, counts: WakeCounts) -> AsyncIterator[WakeupListener]:
    """Listen until the wake-ups of the first connection are over."""
    made = WakeupListener(Listener(url), counts.wake, counts.rules_changed)
    running = asyncio.create_task(made.run())
    try:
        await eventually(lambda: made.is_listening and counts.count == len(AFTER_SECONDS))
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert not made.is_listening


async def test_a_due_row_wakes_at_once_and_again_for_commits_that_were_late(database: str, db: Db) -> None:
    """The first connection counts as a wake-up, because nobody listened before."""
    counts = WakeCounts()
    async with listening(database, counts):
        a_notification(db)
        await eventually(lambda: counts.count == 2 * len(AFTER_SECONDS))


async def test_a_wake_up_during_the_turns_starts_them_again(database: str, db: Db) -> None:
    """So the last row gets the late turns too."""
    counts = WakeCounts()
    async with listening(database, counts):
        a_notification(db)
        await eventually(lambda: counts.count == len(AFTER_SECONDS) + 2)
        a_notification(db)
        await eventually(lambda: counts.count == len(AFTER_SECONDS) + 2 + len(AFTER_SECONDS))


async def test_a_bug_does_not_end_the_listening(database: str, db: Db) -> None:
    """A new connection counts as a notification of each channel; the log has only the bug's name."""
    counts = WakeCounts()
    with logged_in_full() as lines:
        async with listening(database, counts) as wakeup:
            counts.bug = ValueError("value-marker")
            a_rule(db, workflow=a_workflow(db))
            await eventually(lambda: counts.rules == 3 and wakeup.is_listening)

            a_notification(db)
            await eventually(lambda: counts.count >= 2 * len(AFTER_SECONDS))
    assert "ValueError" in lines.getvalue()
    assert "value-marker" not in lines.getvalue()


async def test_a_change_of_a_rule_is_reported_and_wakes_no_loop(database: str, db: Db) -> None:
    """The first connection counts as a change of rules too."""
    counts = WakeCounts()
    async with listening(database, counts):
        assert counts.rules == 1
        made = a_rule(db, workflow=a_workflow(db))
        await eventually(lambda: counts.rules == 2)
        db.execute("UPDATE notify.ent_notification_rule SET deactivated = true WHERE id = %s", [made])
        await eventually(lambda: counts.rules == 3)

        assert counts.count == len(AFTER_SECONDS)


async def test_a_row_scheduled_soon_wakes_the_loops(database: str, db: Db) -> None:
    """So that the timer can be set; rows for later are found by the timer itself."""
    counts = WakeCounts()
    async with listening(database, counts):
        a_notification(db, scheduled_for=datetime.now(UTC) + timedelta(minutes=1))

        await eventually(lambda: counts.count == 2 * len(AFTER_SECONDS))
