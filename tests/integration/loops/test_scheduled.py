"""The scheduled loop hands off its own rows."""

from datetime import timedelta

from tests.integration.loops.conftest import Starts
from tests.support.rows import Db, a_notification
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.lifecycle import Status
from xnovu_poller.loops.scheduled import scheduled_loop
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.by_claim import Terms

INTERVAL = timedelta(seconds=30)


async def test_it_takes_what_has_come_to_its_time(
    engine: Engine, db: Db, starts: Starts, terms: Terms
) -> None:
    """Not what lies ahead, has no time, or failed."""
    made = a_notification(db, scheduled_for="2020-01-01T00:00Z")
    a_notification(db, scheduled_for="2999-01-01T00:00Z")
    a_notification(db)
    a_notification(db, status=Status.FAILED, scheduled_for="2020-01-01T00:00Z")
    loop = scheduled_loop(engine, Gate(), terms=terms, start=starts.start, interval=INTERVAL)

    await loop.turn()

    assert starts.ids == [made]
    assert (loop.name, loop.interval) == ("scheduled", INTERVAL)
