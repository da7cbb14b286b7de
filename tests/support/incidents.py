"""What left the straight way of notifications, as tests write it and read it."""

from datetime import timedelta

from tests.support.held import verdict
from tests.support.rows import Db, a_notification, attempt_of
from xnovu_poller.lifecycle import Attempt, Hold, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_hold
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.verdict import Ending


async def hold_one(engine: Engine, attempt: Attempt) -> Hold:
    """Hold a notification, also one whose sender disappeared."""
    found = await hold(engine, [attempt], deadline=timedelta(seconds=10), with_lapsed=True)
    [held] = found.held
    return held.hold


async def a_held(engine: Engine, db: Db, **columns: object) -> Hold:
    """Insert a notification that is being sent."""
    made = a_notification(db, status=Status.PROCESSING, **columns)  # type: ignore[arg-type] # any column
    return await hold_one(engine, attempt_of(db, made))


async def finish(engine: Engine, right: Hold) -> None:
    """Record that Novu accepted it."""
    await by_hold.record_sent(engine, [verdict(right, Ending.SENT)])


def incidents_of(db: Db, notification_id: int) -> list[tuple[str, str | None, int]]:
    """Return the incidents of a notification: kind, code and attempt."""
    found = db.execute(
        "SELECT arrow, code, attempt FROM notify.ent_notification_event WHERE notification_id = %s ORDER BY number",
        [notification_id],
    )
    return [(each["arrow"], each["code"], each["attempt"]) for each in found]
