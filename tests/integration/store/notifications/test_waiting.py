"""Which enterprises wait, and how much they have due."""

from datetime import timedelta

from tests.support.rows import Db, a_notification
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.waiting import COUNTED_OF_EACH, read_waiting


async def test_the_enterprises_that_wait_longest_come_first(engine: Engine, db: Db) -> None:
    """All loops count together; a row that is not due, or is in flight, does not."""
    assert await read_waiting(engine, 10) == {}
    a_notification(db, enterprise="b", scheduled_for="2020-01-01T00:00Z")
    for _ in range(2):
        a_notification(db, enterprise="b")
    a_notification(db, enterprise="a", status=Status.FAILED)
    a_notification(db, enterprise="c", scheduled_for="2100-01-01T00:00Z")
    a_notification(db, enterprise="d", status=Status.PROCESSING)

    found = await read_waiting(engine, 10)
    first = await read_waiting(engine, 1)

    assert {name: each.due for name, each in found.items()} == {"b": 3, "a": 1}
    assert list(first) == list(found)[:1]
    assert found["a"].oldest >= timedelta(0)


async def test_ten_thousand_enterprises_are_bounded(engine: Engine, db: Db) -> None:
    """The answer has as many as were asked for, and the count of one ends early."""
    with db.transaction():
        db.execute(
            "INSERT INTO notify.ent_notification (enterprise_id, name, recipients)"
            " SELECT 'enterprise-' || i, 'n', '{s}' FROM generate_series(1, 10000) AS i"
        )
        db.execute(
            "INSERT INTO notify.ent_notification (enterprise_id, name, recipients)"
            " SELECT 'enterprise-1', 'n', '{s}' FROM generate_series(1, %s) AS i",
            [COUNTED_OF_EACH],
        )
    db.execute("ANALYZE notify.ent_notification")

    found = await read_waiting(engine, 20)

    assert len(found) == 20
    assert found["enterprise-1"].due == COUNTED_OF_EACH
