"""The notifications whose lease has lapsed."""

from datetime import timedelta

from tests.support.rows import Db, a_notification, back_dated, row, written
from xnovu_poller.lifecycle import Attempt, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.lapsed import Lapsed, read_lapsed

HOUR = timedelta(hours=1)


async def test_the_longest_lapsed_comes_first(engine: Engine, db: Db) -> None:
    """Each comes with its run, and whether a send has begun."""
    idle, sending, running = (a_notification(db, status=Status.PROCESSING) for _ in range(3))
    back_dated(db, idle, HOUR)
    back_dated(db, sending, 2 * HOUR, "lease_expires_at", "send_until")

    assert await read_lapsed(engine, 10) == [
        Lapsed(Attempt(sending, 1), f"test-notification-{sending}-1", sending=True),
        Lapsed(Attempt(idle, 1), f"test-notification-{idle}-1", sending=False),
    ]
    assert [lapsed.attempt for lapsed in await read_lapsed(engine, 1)] == [Attempt(sending, 1)]
    assert row(db, running)["attempt"] == 1


async def test_a_live_send_has_not_lapsed(engine: Engine, db: Db) -> None:
    """Its sender may still record it."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made)
    written(db, made, send_until="2100-01-01T00:00Z")

    assert await read_lapsed(engine, 10) == []
