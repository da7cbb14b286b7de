"""The notifications whose lease has lapsed."""

from datetime import timedelta

from tests.support.rows import Db, a_notification, back_dated, open_db, row, soon, written
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
    written(db, made, send_until=soon())

    assert await read_lapsed(engine, 10) == []


async def test_locked_rows_take_no_place_of_others(engine: Engine, db: Db, database: str) -> None:
    """They cannot be rescued now, and the rows behind them can."""
    locked, free = (a_notification(db, status=Status.PROCESSING) for _ in range(2))
    back_dated(db, locked, 2 * HOUR)
    back_dated(db, free, HOUR)
    with open_db(database) as holder, holder.transaction():
        holder.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [locked])

        found = await read_lapsed(engine, 1)

        assert [lapsed.attempt.notification_id for lapsed in found] == [free]


async def test_a_send_that_ends_later_than_any_can_is_over(engine: Engine, db: Db) -> None:
    """It was written while the database's clock was ahead."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made)
    written(db, made, send_until="2100-01-01T00:00Z")

    assert [lapsed.sending for lapsed in await read_lapsed(engine, 10)] == [True]
