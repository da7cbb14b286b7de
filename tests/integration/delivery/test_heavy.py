"""Notifications are delivered by weight: the lightest first, and none takes the process's memory."""

from tests.support.delivering import Delivering, a_claimed
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, row
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.notifications.hold import MOST_BYTES

SWELL = """
UPDATE notify.ent_notification SET payload = jsonb_build_object('t', repeat('y', %s)) WHERE id = %s"""


async def test_what_does_not_fit_at_once_is_delivered_next(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """In the same try, without a failure."""
    light = a_claimed(db)
    heavy = [a_claimed(db, payload={"t": "y" * 400_000}) for _ in range(4)]

    assert await executor.deliver(light, *heavy) == [Status.SENT] * 5
    assert (novu_standin.stats()["deliveries"], novu_standin.stats()["duplicates"]) == (5, 0)


async def test_what_finds_no_time_is_released_on_the_last_try(executor: Delivering, db: Db) -> None:
    """Nothing of it was sent, so nothing counts."""
    light, heavy = a_claimed(db), a_claimed(db, payload={"t": "y" * 1_000_000})

    assert await executor.deliver(light, heavy, last=True, budget=0) == [Status.SENT]
    kept = row(db, heavy.notification_id)
    assert (kept["notification_status"], kept["failure_count"]) == ("PENDING", 0)


async def test_what_is_too_heavy_dies_and_delays_no_other(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """An administrator may have written it past the bounds. It is not read."""
    light, giant = a_claimed(db), a_claimed(db)
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(SWELL, [MOST_BYTES * 2, giant.notification_id])

    assert await executor.deliver(light, giant) == [Status.SENT, Status.DEAD]
    details = row(db, giant.notification_id)["error_details"]
    assert details["code"] == "too_large"
    assert "25165824 are the most" in details["message"]
    assert novu_standin.stats()["triggers"] == 1
