"""The wake-up: heard at once, and again for commits that were late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from tests.support.logs import logged_in_full
from tests.support.rows import Db, a_notification, a_rule, a_workflow
from tests.support.waiting import eventually
from xnovu_poller.loops.wakeup import AFTER_SECONDS, WakeupListener
from xnovu_poller.store.listen import Listener


class Wakes:
    """Counts wake-ups, and words of rules."""

    def __init__(self) -> None:
        self.count = 0
        self.rules = 0
        self.bug: Exception | None = None

    async def wake(self) -> None:
        """Count."""
        self.count += 1

    def rules_changed(self) -> None:
        """Count, and fail as told."""
        self.rules += 1
        if self.bug is not None:
            bug, self.bug = self.bug, None
            raise bug


@asynccontextmanager
async def listening(url: str, wakes: Wakes) -> AsyncIterator[WakeupListener]:
    """Listen, and have done with the wake-up of the first connection."""
    made = WakeupListener(Listener(url), wakes.wake, wakes.rules_changed)
    running = asyncio.create_task(made.run())
    try:
        await eventually(lambda: made.is_listening and wakes.count == len(AFTER_SECONDS))
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert not made.is_listening


async def test_a_due_row_wakes_at_once_and_again_for_commits_that_were_late(database: str, db: Db) -> None:
    """The first connection counts as a wake-up, for nobody listened before."""
    wakes = Wakes()
    async with listening(database, wakes):
        a_notification(db)
        await eventually(lambda: wakes.count == 2 * len(AFTER_SECONDS))


async def test_a_wake_up_during_the_turns_begins_them_anew(database: str, db: Db) -> None:
    """Whoever comes last gets the late turns too."""
    wakes = Wakes()
    async with listening(database, wakes):
        a_notification(db)
        await eventually(lambda: wakes.count == len(AFTER_SECONDS) + 2)
        a_notification(db)
        await eventually(lambda: wakes.count == len(AFTER_SECONDS) + 2 + len(AFTER_SECONDS))


async def test_a_bug_is_not_the_end_of_the_listening(database: str, db: Db) -> None:
    """The connection is made anew, which counts as a word of each kind; the bug is told by its name alone."""
    wakes = Wakes()
    with logged_in_full() as lines:
        async with listening(database, wakes) as wakeup:
            wakes.bug = ValueError("value-marker")
            a_rule(db, workflow=a_workflow(db))
            await eventually(lambda: wakes.rules == 3 and wakeup.is_listening)

            a_notification(db)
            await eventually(lambda: wakes.count >= 2 * len(AFTER_SECONDS))
    assert "ValueError" in lines.getvalue()
    assert "value-marker" not in lines.getvalue()


async def test_a_rule_that_is_written_is_told_of_and_wakes_no_loop(database: str, db: Db) -> None:
    """The first connection counts as a word of rules too."""
    wakes = Wakes()
    async with listening(database, wakes):
        assert wakes.rules == 1
        made = a_rule(db, workflow=a_workflow(db))
        await eventually(lambda: wakes.rules == 2)
        db.execute("UPDATE notify.ent_notification_rule SET deactivated = true WHERE id = %s", [made])
        await eventually(lambda: wakes.rules == 3)

        assert wakes.count == len(AFTER_SECONDS)


async def test_a_row_for_soon_is_told_of(database: str, db: Db) -> None:
    """So that the alarm can be set; what is for later it finds by itself."""
    wakes = Wakes()
    async with listening(database, wakes):
        a_notification(db, scheduled_for=datetime.now(UTC) + timedelta(minutes=1))

        await eventually(lambda: wakes.count == 2 * len(AFTER_SECONDS))
