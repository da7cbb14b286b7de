"""The timer on a real table: rows that are scheduled, moved, withdrawn or cannot be claimed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.loops.conftest import Starts
from tests.support.proxy import proxied
from tests.support.rows import Db, a_notification, open_db, row, sqlalchemy_url, written
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

PASSED = "SELECT FROM notify.ent_notification WHERE id = ANY (%s) AND scheduled_for <= clock_timestamp()"
MOVE = """
UPDATE notify.ent_notification SET scheduled_for = scheduled_for + (clock_timestamp() - earliest.at) + %(ahead)s
FROM (SELECT min(scheduled_for) AS at FROM notify.ent_notification WHERE id = ANY (%(ids)s)) AS earliest
WHERE id = ANY (%(ids)s)"""


class TimedLoop:
    """A scheduled loop that would poll each hour, and its timer.

    Attributes:
        coming: rows that the next look sees ahead, however slow the test was.
        when_seen: called after that look has seen them, and before the timer can fire for them.
    """

    def __init__(self, engine: Engine, db: Db, starts: Starts, terms: Terms) -> None:
        loop = PollLoop(SCHEDULED, engine, Gate(), terms=terms, start=starts.start, interval=HOUR)
        self.drain = Drain(loop)
        self.timer = DueTimer(self._find_next, self.drain.drain)
        self.coming: list[int] = []
        self.when_seen: Callable[[], object] = lambda: None
        self._engine = engine
        self._db = db

    async def _find_next(self) -> timedelta | None:
        """Ask the database; if a row that should be ahead has come due meanwhile, move them all on and ask again."""
        found = await time_to_next_due(self._engine)
        while self._db.execute(PASSED, [self.coming]).rowcount:
            self._db.execute(MOVE, {"ids": self.coming, "ahead": SOON})
            found = await time_to_next_due(self._engine)
        if self.coming:
            self.coming = []
            self.when_seen()
        return found

    @property
    def turns(self) -> int:
        """The number of the loop's turns."""
        turns = self.drain.status()["turns"]
        assert isinstance(turns, int)
        return turns


@asynccontextmanager
async def running_timer(engine: Engine, db: Db, starts: Starts, terms: Terms) -> AsyncIterator[TimedLoop]:
    """Run the timer, and wait for its first turn."""
    made = TimedLoop(engine, db, starts, terms)
    running = asyncio.create_task(made.timer.run())
    try:
        await eventually(lambda: made.turns)
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def timed_loop(engine: Engine, db: Db, starts: Starts, terms: Terms) -> AsyncIterator[TimedLoop]:
    """A running timer and its loop."""
    async with running_timer(engine, db, starts, terms) as made:
        yield made


def ahead(span: timedelta) -> datetime:
    """Return a time in the future."""
    return datetime.now(UTC) + span


async def test_a_row_is_claimed_when_its_time_has_come(
    db: Db, timed_loop: TimedLoop, starts: Starts, terms: Terms
) -> None:
    """Not before and soon after, by the database's clock, with any offset in the written time."""
    at = ahead(SOON)
    made = a_notification(db, scheduled_for=f"{at.replace(tzinfo=None) + timedelta(hours=8)}+08:00")
    assert row(db, made)["scheduled_for"] == at
    timed_loop.coming = [made]
    timed_loop.timer.look()

    await eventually(lambda: starts.ids == [made])

    kept = row(db, made)
    assert timedelta(0) < kept["lease_expires_at"] - terms.lease - kept["scheduled_for"] < HOUR


async def test_rows_close_together_are_all_claimed(db: Db, timed_loop: TimedLoop, starts: Starts) -> None:
    """None falls between two looks."""
    made = [
        a_notification(db, scheduled_for=ahead(timedelta(milliseconds=300 + n))) for n in range(0, 200, 10)
    ]
    timed_loop.coming = made
    timed_loop.timer.look()

    await eventually(lambda: starts.ids == sorted(made))


async def test_a_row_moved_to_an_earlier_time_is_claimed_then(
    db: Db, timed_loop: TimedLoop, starts: Starts
) -> None:
    """The timer looks again after each notification of a change."""
    made = a_notification(db, scheduled_for=ahead(HOUR))
    timed_loop.timer.look()
    await eventually(lambda: timed_loop.timer.status()["next_due_in_seconds"])
    written(db, made, scheduled_for=ahead(SOON))
    timed_loop.coming = [made]
    timed_loop.timer.look()

    await eventually(lambda: starts.ids == [made])


async def test_a_row_moved_to_a_later_time_is_not_claimed_at_its_former_time(
    db: Db, timed_loop: TimedLoop, starts: Starts
) -> None:
    """The timer may fire for nothing, because the claim reads the row."""
    moved = a_notification(db, scheduled_for=ahead(SOON))
    timed_loop.coming = [moved]
    timed_loop.when_seen = lambda: written(db, moved, scheduled_for=ahead(HOUR))
    timed_loop.timer.look()
    await eventually(lambda: timed_loop.turns == 2)

    assert starts.ids == []
    assert row(db, moved)["attempt"] == 0


async def test_a_due_row_that_cannot_be_claimed_sets_no_timer(
    db: Db, database: str, timed_loop: TimedLoop, starts: Starts
) -> None:
    """Another session holds it: the timer fires once, and then leaves it to the poll."""
    made = a_notification(db, scheduled_for=ahead(SOON))
    with open_db(database) as holder, holder.transaction():
        timed_loop.coming = [made]
        timed_loop.when_seen = lambda: holder.execute(
            "SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [made]
        )
        timed_loop.timer.look()
        await eventually(lambda: timed_loop.turns == 2)
        timed_loop.timer.look()
        await eventually(lambda: timed_loop.timer.status() == {"next_due_in_seconds": None})

    assert (timed_loop.turns, starts.ids) == (2, [])


async def test_a_row_that_became_due_during_an_outage_is_claimed(
    db: Db, database: str, starts: Starts, terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look with an answer starts a turn."""
    monkeypatch.setattr(module, "BLIND_SECONDS", 0.1)
    async with proxied(database) as proxy:
        engine = connect(sqlalchemy_url(proxy.through(database)), part="test")
        async with running_timer(engine, db, starts, terms) as timed_loop:
            proxy.cut()
            made = a_notification(db, scheduled_for=ahead(SOON))
            timed_loop.timer.look()
            await eventually(lambda: timed_loop.timer._blind)
            await eventually(lambda: db.execute(PASSED, [[made]]).rowcount)
            proxy.mend()

            await eventually(lambda: starts.ids == [made])
        await engine.dispose()
