"""The alarm on a real table: what is set, moved or taken back, and who cannot be claimed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.integration.loops.conftest import Starts
from tests.support.proxy import proxied
from tests.support.rows import Db, a_notification, row, sqlalchemy_url, written
from tests.support.waiting import eventually
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.loops import due_timer as module
from xnovu_poller.loops.drain import Drain
from xnovu_poller.loops.due_timer import DueTimer
from xnovu_poller.loops.loop import PollLoop
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications.backlog import time_to_next_due
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.store.notifications.due import SCHEDULED

HOUR = timedelta(hours=1)
SOON = timedelta(milliseconds=400)
LATE_AT_MOST = timedelta(seconds=2)
"""It is some milliseconds; but the machine may be busy."""

PASSED = "SELECT FROM notify.ent_notification WHERE id = %s AND scheduled_for < clock_timestamp()"


class Clockwork:
    """A scheduled loop that would poll each hour, and the alarm on it."""

    def __init__(self, engine: Engine, starts: Starts, terms: Terms) -> None:
        loop = PollLoop(SCHEDULED, engine, Gate(), terms=terms, start=starts.start, interval=HOUR)
        self.drain = Drain(loop)
        self.alarm = DueTimer(partial(time_to_next_due, engine), self.drain.drain)

    @property
    def turns(self) -> int:
        """How often the loop has turned."""
        turns = self.drain.status()["turns"]
        assert isinstance(turns, int)
        return turns


@asynccontextmanager
async def wound_up(engine: Engine, starts: Starts, terms: Terms) -> AsyncIterator[Clockwork]:
    """Run the alarm, and have done with its first ring."""
    made = Clockwork(engine, starts, terms)
    running = asyncio.create_task(made.alarm.run())
    try:
        await eventually(lambda: made.turns)
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def clockwork(engine: Engine, starts: Starts, terms: Terms) -> AsyncIterator[Clockwork]:
    """Give a running one."""
    async with wound_up(engine, starts, terms) as made:
        yield made


def ahead(span: timedelta) -> datetime:
    """Give a time that has not come yet."""
    return datetime.now(UTC) + span


async def test_a_row_is_taken_when_its_time_has_come(
    db: Db, clockwork: Clockwork, starts: Starts, terms: Terms
) -> None:
    """Not before it and soon after, by the database's clock; and whatever offset the time was written with."""
    at = ahead(SOON)
    made = a_notification(db, scheduled_for=f"{at.replace(tzinfo=None) + timedelta(hours=8)}+08:00")
    clockwork.alarm.look()

    await eventually(lambda: starts.ids == [made])

    claimed_at = row(db, made)["lease_expires_at"] - terms.lease
    assert timedelta(0) < claimed_at - at < LATE_AT_MOST


async def test_rows_close_behind_each_other_are_all_taken(
    db: Db, clockwork: Clockwork, starts: Starts
) -> None:
    """None falls between two looks."""
    made = [
        a_notification(db, scheduled_for=ahead(timedelta(milliseconds=300 + n))) for n in range(0, 200, 10)
    ]
    clockwork.alarm.look()

    await eventually(lambda: starts.ids == sorted(made))


async def test_a_row_that_is_moved_nearer_is_taken_at_its_new_time(
    db: Db, clockwork: Clockwork, starts: Starts
) -> None:
    """Whoever is told that something was written looks again."""
    made = a_notification(db, scheduled_for=ahead(HOUR))
    clockwork.alarm.look()
    await eventually(lambda: clockwork.alarm.status()["next_due_in_seconds"])
    written(db, made, scheduled_for=ahead(SOON))
    clockwork.alarm.look()

    await eventually(lambda: starts.ids == [made])


async def test_a_row_that_is_moved_away_is_not_taken_at_its_old_time(
    db: Db, clockwork: Clockwork, starts: Starts
) -> None:
    """The alarm may ring for nothing; the claim goes by the row."""
    moved = a_notification(db, scheduled_for=ahead(2 * SOON))
    clockwork.alarm.look()
    await eventually(lambda: clockwork.alarm.status()["next_due_in_seconds"] is not None)
    written(db, moved, scheduled_for=ahead(HOUR))
    behind = a_notification(db, scheduled_for=ahead(2 * SOON))
    clockwork.alarm.look()

    await eventually(lambda: starts.ids == [behind])

    assert row(db, moved)["attempt"] == 0


async def test_a_due_row_that_cannot_be_claimed_sets_no_alarm(
    db: Db, clockwork: Clockwork, starts: Starts
) -> None:
    """Here another session holds it: one ring, and then it is left to the poll."""
    made = a_notification(db, scheduled_for=ahead(SOON))
    with db.transaction():
        db.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [made])
        clockwork.alarm.look()
        await eventually(lambda: clockwork.turns == 2)
        clockwork.alarm.look()
        await eventually(lambda: clockwork.alarm.status() == {"next_due_in_seconds": None})

    assert (clockwork.turns, starts.ids) == (2, [])


async def test_what_came_due_while_the_database_was_away_is_taken(
    db: Db, database: str, starts: Starts, terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look that is answered rings."""
    monkeypatch.setattr(module, "BLIND_SECONDS", 0.1)
    async with proxied(database) as proxy:
        engine = connect(sqlalchemy_url(proxy.through(database)), part="test")
        async with wound_up(engine, starts, terms) as clockwork:
            proxy.cut()
            made = a_notification(db, scheduled_for=ahead(SOON))
            clockwork.alarm.look()
            await eventually(lambda: clockwork.alarm._blind)
            await eventually(lambda: db.execute(PASSED, [made]).rowcount)
            proxy.mend()

            await eventually(lambda: starts.ids == [made])
        await engine.dispose()
