"""The wake-up: heard at once, and whatever becomes of its connection, heard again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.logs import logged_in_full
from tests.support.proxy import proxied
from tests.support.rows import Db, a_notification, a_rule, a_workflow
from tests.support.waiting import eventually
from xnovu_poller.loops.wakeup import AFTER_SECONDS, WakeupListener
from xnovu_poller.store import listen
from xnovu_poller.store.listen import Listener

LISTENERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'xnovu:wakeup' AND datname = current_database()"


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
async def listening(
    url: str, wakes: Wakes, *, silence: timedelta = timedelta(30)
) -> AsyncIterator[WakeupListener]:
    """Listen, and have done with the wake-up of the first connection."""
    made = WakeupListener(Listener(url, silence=silence), wakes.wake, wakes.rules_changed)
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


async def test_a_killed_connection_comes_back_and_counts_as_a_wake_up(database: str, db: Db) -> None:
    """What was committed meanwhile was heard by nobody."""
    wakes = Wakes()
    async with listening(database, wakes) as made:
        found = db.execute(LISTENERS).fetchone()
        assert found is not None
        db.execute("SELECT pg_terminate_backend(%s)", [found["pid"]])

        await eventually(lambda: wakes.count > len(AFTER_SECONDS) and made.is_listening)
        again = db.execute(LISTENERS).fetchone()

    assert again is not None
    assert again != found
    assert wakes.rules == 2


async def test_a_half_open_connection_is_noticed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks alive and says nothing: it is asked, and given up without an answer."""
    monkeypatch.setattr(listen, "_ANSWER_SECONDS", 0.1)
    wakes = Wakes()
    async with (
        proxied(database) as proxy,
        listening(proxy.through(database), wakes, silence=timedelta(milliseconds=100)) as made,
    ):
        proxy.hang()
        await eventually(lambda: not made.is_listening)
        proxy.mend()
        await eventually(lambda: made.is_listening and wakes.count > len(AFTER_SECONDS))


async def test_a_quiet_connection_is_kept(database: str, db: Db) -> None:
    """It answers when it is asked, so it is the same one."""
    wakes = Wakes()
    async with listening(database, wakes, silence=timedelta(milliseconds=1)):
        found = db.execute(LISTENERS).fetchone()
        asked = "SELECT FROM pg_stat_activity WHERE pid = %s AND query = 'SELECT 1'"
        assert found is not None
        await eventually(lambda: db.execute(asked, [found["pid"]]).rowcount)

        assert db.execute(LISTENERS).fetchone() == found
        assert wakes.count == len(AFTER_SECONDS)
