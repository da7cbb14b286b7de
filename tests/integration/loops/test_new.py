"""The new loop hands off its own rows."""

from datetime import timedelta

from tests.integration.loops.conftest import Starts
from tests.support.rows import Db, a_notification
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.lifecycle import Status
from xnovu_poller.loops.new import new_loop
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.by_claim import Terms

INTERVAL = timedelta(seconds=10)


async def test_it_takes_what_has_no_set_time(engine: Engine, db: Db, starts: Starts, terms: Terms) -> None:
    """Neither what is scheduled nor what failed."""
    made = a_notification(db)
    a_notification(db, scheduled_for="2020-01-01T00:00Z")
    a_notification(db, status=Status.FAILED)
    loop = new_loop(engine, Gate(), terms=terms, start=starts.start, interval=INTERVAL)

    await loop.turn()

    assert starts.ids == [made]
    assert (loop.name, loop.interval) == ("new", INTERVAL)
