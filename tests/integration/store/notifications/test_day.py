"""The last day of an enterprise."""

from datetime import timedelta

from tests.support.rows import Db, a_notification, back_dated, unguarded
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.day import STEP, read_day


async def test_a_day_counts_what_was_inserted_and_what_became_of_it(engine: Engine, db: Db) -> None:
    """In parts of the day; older rows and those of others are left out."""
    ages = {Status.SENT: 10, Status.DEAD: 10, Status.PENDING: 10, Status.RETRACTED: 25}
    with unguarded(db):
        for status, hours in ages.items():
            id_ = a_notification(db, status=status)
            back_dated(db, id_, timedelta(hours=hours), "created_at")
    a_notification(db, status=Status.SENT)
    a_notification(db, enterprise="globex")

    day = await read_day(engine, "acme")

    assert sum(step.inserted for step in day) == 4
    assert (sum(step.sent for step in day), sum(step.dead for step in day)) == (2, 1)
    assert all(step.began_at.minute % 20 == step.began_at.second == 0 for step in day)
    assert day[-1].began_at - day[0].began_at > 29 * STEP
