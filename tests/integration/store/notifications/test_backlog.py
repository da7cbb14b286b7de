"""How many rows are due, for how long, and when the next row becomes due."""

from datetime import timedelta
from typing import Any

from tests.support.rows import Db, a_notification, back_dated, notifications, written
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.backlog import (
    COUNTED_AT_MOST,
    count_backlog,
    oldest_due,
    time_to_next_due,
)

HOUR = timedelta(hours=1)
NONE = {"new": None, "scheduled": None, "failed": None}


async def ahead(engine: Engine) -> timedelta:
    """Return how long it takes until the next row is due."""
    found = await time_to_next_due(engine)
    assert found is not None
    return found


async def test_the_backlog_counts_what_is_due(engine: Engine, db: Db) -> None:
    """It counts each loop's rows and the rows in flight, but no row that waits for its time."""
    notifications(db, 3)
    a_notification(db, scheduled_for="2020-01-01T00:00Z")
    a_notification(db, scheduled_for="2100-01-01T00:00Z")
    a_notification(db, deactivated=True)
    for _ in range(2):
        a_notification(db, status=Status.FAILED)
    for status in (Status.PROCESSING, Status.SENT, Status.DEAD, Status.RETRACTED):
        a_notification(db, status=status)

    assert await count_backlog(engine) == {"in_flight": 1, "new": 3, "scheduled": 1, "failed": 2}


async def test_the_next_row_to_come_due_is_known(engine: Engine, db: Db) -> None:
    """It may be of any enterprise and priority; rows due already, withdrawn, unpublished or never due do not count."""
    for columns in (
        {"scheduled_for": "2020-01-01T00:00Z"},
        {"scheduled_for": "2100-01-01T00:00Z", "deactivated": True},
        {"scheduled_for": "2100-01-01T00:00Z", "publish_status": "DRAFT"},
        {"scheduled_for": "2100-01-01T00:00Z", "status": Status.RETRACTED},
        {"scheduled_for": "infinity"},
        {"scheduled_for": "-infinity"},
        {},
    ):
        a_notification(db, **dict[str, Any](columns))
    assert await time_to_next_due(engine) is None

    far, near = (
        a_notification(db, enterprise=enterprise, priority=priority, scheduled_for="290000-01-01T00:00Z")
        for enterprise, priority in (("a", 9), ("z", 0))
    )
    assert await ahead(engine) > timedelta(days=365 * 280_000)
    for made, later in ((far, "2 h"), (near, "1 h")):
        db.execute(
            "UPDATE notify.ent_notification SET scheduled_for = now() + %s::interval WHERE id = %s",
            [later, made],
        )
    assert HOUR - timedelta(minutes=1) < await ahead(engine) <= HOUR
    written(db, near, scheduled_for=None)
    assert await ahead(engine) > HOUR


async def test_a_count_stops_at_its_limit(engine: Engine, db: Db) -> None:
    """`/status` stays cheap with any backlog."""
    notifications(db, COUNTED_AT_MOST + 1)

    assert (await count_backlog(engine))["new"] == COUNTED_AT_MOST


async def test_the_oldest_due_row_of_all_enterprises_is_found(engine: Engine, db: Db) -> None:
    """It may have any priority, enterprise and place; a row that is not due has not waited."""
    for enterprise in ("a", "b", "c"):
        for priority in (0, 9):
            a_notification(db, enterprise=enterprise, priority=priority)
            a_notification(db, enterprise=enterprise, priority=priority, scheduled_for="2100-01-01T00:00Z")
            a_notification(db, enterprise=enterprise, priority=priority, status=Status.FAILED)
    failed = a_notification(db, enterprise="b", priority=3, status=Status.FAILED)
    back_dated(db, failed, 2 * HOUR, "next_attempt_at")
    off = a_notification(db, enterprise="c", status=Status.FAILED, deactivated=True)
    back_dated(db, off, 3 * HOUR, "next_attempt_at")
    scheduled = a_notification(db, enterprise="c", scheduled_for="2020-01-01T00:00Z")
    with db.transaction():
        db.execute("ALTER TABLE notify.ent_notification DISABLE TRIGGER USER")
        db.execute(
            "UPDATE notify.ent_notification SET created_at = now() - interval '5 h' WHERE id = %s",
            [scheduled],
        )
        db.execute(
            "UPDATE notify.ent_notification SET scheduled_for = now() - interval '1 h' WHERE id = %s",
            [scheduled],
        )
        db.execute("ALTER TABLE notify.ent_notification ENABLE TRIGGER USER")

    waited = await oldest_due(engine)

    assert {loop: round(span / HOUR) for loop, span in waited.items() if span is not None} == {
        "new": 0,
        "scheduled": 1,
        "failed": 2,
    }


async def test_enterprises_that_wait_for_a_reason_can_be_left_out(engine: Engine, db: Db) -> None:
    """Their rows wait because of a limit, or behind others in flight; not because nobody claims."""
    a_notification(db)
    assert await oldest_due(engine, unserved=True) != NONE
    in_flight = a_notification(db, status=Status.PROCESSING)
    assert await oldest_due(engine, unserved=True) == NONE
    db.execute("DELETE FROM notify.ent_notification WHERE id = %s", [in_flight])
    db.execute("INSERT INTO notify.ent_enterprise_limit (enterprise_id, rate) VALUES ('acme', 1)")

    assert (await oldest_due(engine))["new"] is not None
    assert await oldest_due(engine, unserved=True) == NONE
