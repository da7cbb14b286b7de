"""Lost contact: the run of an attempt no longer hears from its sender."""

from collections.abc import Sequence
from datetime import timedelta

from tests.support.held import verdict
from tests.support.rows import Db, a_notification, attempt_of, back_dated, row, written
from xnovu_poller.lifecycle import Attempt, ErrorDetails, Hold, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim, by_hold
from xnovu_poller.store.notifications.by_claim import LostAttempt
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.verdict import Ending

ERROR = ErrorDetails("lost_contact", "delivery: nothing more was heard of it")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


async def a_held(engine: Engine, db: Db) -> Hold:
    """Insert a notification that is being sent."""
    attempt = attempt_of(db, a_notification(db, status=Status.PROCESSING))
    [held] = (await hold(engine, [attempt], deadline=MINUTE)).held
    return held.hold


async def record_lost_contact(
    engine: Engine, attempts: Sequence[Attempt], *, max_failures: int, counted: bool
) -> dict[int, Status]:
    """Record lost contact; without a count no death is recorded either."""
    lost = [LostAttempt(attempt, MINUTE, counted=counted, died=counted) for attempt in attempts]
    return await by_claim.record_lost_contact(engine, lost, error=ERROR, max_failures=max_failures)


async def test_lost_contact_fails_a_row_without_a_send(engine: Engine, db: Db) -> None:
    """Nothing was sent, so nothing has lapsed."""
    made = a_notification(db, status=Status.PROCESSING)

    states = await record_lost_contact(engine, [attempt_of(db, made)], max_failures=8, counted=True)

    kept = row(db, made)
    assert states == {made: Status.FAILED}
    assert (kept["notification_status"], kept["failure_count"]) == ("FAILED", 1)
    assert (kept["lapses"], kept["unknown_outcomes"], kept["error_details"]) == (0, 0, ERROR.to_json())


async def test_lost_contact_counts_a_lapse(engine: Engine, db: Db) -> None:
    """A past send without a record may have been accepted."""
    right = await a_held(engine, db)
    back_dated(db, right.notification_id, HOUR, "send_until")

    await record_lost_contact(engine, [attempt_of(db, right.notification_id)], max_failures=8, counted=True)

    kept = row(db, right.notification_id)
    assert (kept["notification_status"], kept["lapses"], kept["unknown_outcomes"]) == ("FAILED", 1, 1)


async def test_lost_contact_does_not_touch_a_live_send(engine: Engine, db: Db) -> None:
    """Its sender may still record it."""
    right = await a_held(engine, db)
    attempts = [attempt_of(db, right.notification_id), Attempt(right.notification_id, 9)]

    assert await record_lost_contact(engine, attempts, max_failures=8, counted=True) == {}
    sent = await by_hold.record_sent(engine, [verdict(right, Ending.SENT)])
    assert sent == {right.notification_id: Status.SENT}


async def test_lost_contact_in_an_outage_is_not_held_against_the_row(engine: Engine, db: Db) -> None:
    """Without a count it is never the last failure, and no death of its sender; but Novu may have accepted it."""
    made = a_notification(db, status=Status.PROCESSING)
    right = await a_held(engine, db)
    back_dated(db, right.notification_id, HOUR, "send_until")
    attempts = [attempt_of(db, made), attempt_of(db, right.notification_id)]

    states = await record_lost_contact(engine, attempts, max_failures=1, counted=False)

    assert states == {made: Status.FAILED, right.notification_id: Status.FAILED}
    kept, sent = row(db, made), row(db, right.notification_id)
    assert {found["notification_status"] for found in (kept, sent)} == {"FAILED"}
    assert {found["failure_count"] for found in (kept, sent)} == {0}
    assert (sent["lapses"], sent["unknown_outcomes"]) == (0, 1)


async def test_lost_contact_does_not_end_a_withdrawn_row(engine: Engine, db: Db) -> None:
    """Novu must still be asked to cancel it."""
    made = a_notification(db, status=Status.PROCESSING)
    written(db, made, retract_requested_at="2026-01-01T00:00Z")

    await record_lost_contact(engine, [attempt_of(db, made)], max_failures=1, counted=True)

    assert row(db, made)["notification_status"] == "FAILED"


async def test_lost_contact_may_be_the_last_failure(engine: Engine, db: Db) -> None:
    """It counts like any other failure."""
    made = a_notification(db, status=Status.PROCESSING)

    states = await record_lost_contact(engine, [attempt_of(db, made)], max_failures=1, counted=True)

    assert states == {made: Status.DEAD}
    assert row(db, made)["notification_status"] == "DEAD"
    assert row(db, made)["processed_at"] is not None


async def test_each_lost_attempt_is_judged_by_itself(engine: Engine, db: Db) -> None:
    """One statement decides for each whether it counts, whether its sender died, and how long it waits."""
    first, second = await a_held(engine, db), await a_held(engine, db)
    for right in (first, second):
        back_dated(db, right.notification_id, HOUR, "send_until")
    lost = [
        LostAttempt(attempt_of(db, first.notification_id), MINUTE, counted=True, died=True),
        LostAttempt(attempt_of(db, second.notification_id), HOUR, counted=False, died=False),
    ]

    states = await by_claim.record_lost_contact(engine, lost, error=ERROR, max_failures=1)

    assert states == {first.notification_id: Status.DEAD, second.notification_id: Status.FAILED}
    kept = [row(db, right.notification_id) for right in (first, second)]
    assert [(found["failure_count"], found["lapses"]) for found in kept] == [(1, 1), (0, 0)]
    assert [found["next_attempt_at"] - found["updated_at"] > 2 * MINUTE for found in kept] == [False, True]
