"""The arrows whose right is a claim: release, extend, reclaim, expire."""

from datetime import timedelta

import pytest

from tests.support.rows import (
    Db,
    a_notification,
    a_workflow,
    attempt_of,
    back_dated,
    notifications,
    row,
    soon,
    written,
)
from xnovu_poller.lifecycle import Attempt, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim
from xnovu_poller.store.notifications.by_claim import EXPIRE_BATCH
from xnovu_poller.store.notifications.claim import Cursor, Terms, claim
from xnovu_poller.store.notifications.due import FAILED, NEW

TERMS = Terms(prefix="abc", batch=100, group_size=1, max_in_flight=1000, lease=timedelta(seconds=30))
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("start", [Status.PENDING, Status.FAILED])
async def test_a_release_returns_the_row_to_its_former_state(engine: Engine, db: Db, start: Status) -> None:
    """The attempt number stays, nothing is counted, and the row is due again."""
    made = a_notification(db, status=start)
    due = NEW if start is Status.PENDING else FAILED
    [claimed], cursor = await claim(engine, due, TERMS, Cursor())
    failures = row(db, made)["failure_count"]

    assert await by_claim.release(engine, [claimed.attempt]) == {made: start}

    kept = row(db, made)
    assert kept["notification_status"] == start
    assert (kept["lease_expires_at"], kept["failure_count"]) == (None, failures)
    [later], _ = await claim(engine, due, TERMS, cursor)
    assert later.attempt.number == claimed.attempt.number + 1


async def test_a_release_is_refused_once_a_send_has_begun(engine: Engine, db: Db) -> None:
    """Somebody holds the row: it may be on its way to Novu."""
    made = a_notification(db, status=Status.PROCESSING)
    written(db, made, send_until=soon())

    assert await by_claim.release(engine, [attempt_of(db, made)]) == {}
    assert row(db, made)["notification_status"] == "PROCESSING"


async def test_a_release_is_refused_while_a_lapse_is_unrecorded(engine: Engine, db: Db) -> None:
    """A send without a record may have been accepted."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made, HOUR, "send_until")

    assert await by_claim.release(engine, [attempt_of(db, made)]) == {}


async def test_a_release_of_another_attempt_is_late(engine: Engine, db: Db) -> None:
    """The attempt number is the right to write."""
    made = a_notification(db, status=Status.PROCESSING)

    assert await by_claim.release(engine, [Attempt(made, 2), Attempt(made, 0)]) == {}
    assert row(db, made)["notification_status"] == "PROCESSING"


async def test_an_extension_prolongs_the_lease_of_the_same_attempt(engine: Engine, db: Db) -> None:
    """Temporal still has the workflow, so nobody else may claim the row."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made)

    assert await by_claim.extend_lease(engine, [attempt_of(db, made)], timedelta(minutes=1)) == {
        made: Status.PROCESSING
    }

    kept = row(db, made)
    assert kept["attempt"] == 1
    assert kept["lease_expires_at"] > kept["updated_at"]


async def test_a_reclaim_claims_a_lapsed_send_again(engine: Engine, db: Db) -> None:
    """The next attempt is sent by itself, under its own run id; its hold will count the lapse."""
    made = a_notification(db, status=Status.PROCESSING, workflow=a_workflow(db, key="order-shipped"))
    back_dated(db, made, HOUR, "lease_expires_at", "send_until")

    [claimed] = await by_claim.reclaim(engine, [attempt_of(db, made)], TERMS)

    assert claimed.attempt == Attempt(made, 2)
    assert claimed.run_id == f"abc-notification-{made}-2"
    assert claimed.workflow_key == "order-shipped"
    kept = row(db, made)
    assert kept["send_until"] is not None
    assert kept["lease_expires_at"] > kept["claimed_at"]


@pytest.mark.parametrize("lapsed", ["lease_expires_at", "send_until"])
async def test_a_reclaim_is_refused_while_either_still_runs(engine: Engine, db: Db, lapsed: str) -> None:
    """A live send, or a lease that an executor has extended meanwhile, is somebody's right."""
    made = a_notification(db, status=Status.PROCESSING)
    written(db, made, send_until=soon())
    back_dated(db, made, HOUR, lapsed)

    assert await by_claim.reclaim(engine, [attempt_of(db, made)], TERMS) == []
    assert row(db, made)["attempt"] == 1


async def test_a_reclaim_leaves_rows_without_a_send_to_the_release(engine: Engine, db: Db) -> None:
    """Nothing was sent, so nothing has lapsed."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made)

    assert await by_claim.reclaim(engine, [attempt_of(db, made)], TERMS) == []
    assert await by_claim.release(engine, [attempt_of(db, made)]) == {made: Status.PENDING}


@pytest.mark.parametrize("start", [Status.PENDING, Status.FAILED])
async def test_expire_retracts_rows_that_are_over(engine: Engine, db: Db, start: Status) -> None:
    """PENDING or FAILED becomes RETRACTED with the reason `expired`, and certainly unsent."""
    made = a_notification(db, status=start, expires_at="2020-01-01T00:00Z")

    assert await by_claim.expire(engine) == {made: Status.RETRACTED}

    kept = row(db, made)
    assert kept["notification_status"] == "RETRACTED"
    assert kept["retraction_reason"] == "expired"
    assert kept["retracted_at"] is not None


@pytest.mark.parametrize("status", [Status.PROCESSING, Status.SENT, Status.DEAD])
async def test_expire_leaves_rows_under_way_or_final(engine: Engine, db: Db, status: Status) -> None:
    """The hold expires PROCESSING rows; final rows never expire."""
    a_notification(db, status=status, expires_at="2020-01-01T00:00Z")

    assert await by_claim.expire(engine) == {}


@pytest.mark.parametrize("start", [Status.PENDING, Status.FAILED])
async def test_expire_leaves_rows_that_may_have_been_accepted(engine: Engine, db: Db, start: Status) -> None:
    """After an unknown outcome or a sent chunk, Novu must be asked to cancel first."""
    doubtful = a_notification(db, status=start, expires_at="2020-01-01T00:00Z")
    written(db, doubtful, unknown_outcomes=1)
    begun = a_notification(db, status=start, expires_at="2020-01-01T00:00Z")
    db.execute(
        "INSERT INTO notify.ent_notification_delivery VALUES (%s, 1, 'acme', '{s}', 'xn', 0, 'accepted')",
        [begun],
    )

    assert await by_claim.expire(engine) == {}


async def test_expire_takes_at_most_a_thousand_rows_at_once(engine: Engine, db: Db) -> None:
    """A call is bounded; the next call takes the rest."""
    notifications(db, EXPIRE_BATCH + 5)
    db.execute("UPDATE notify.ent_notification SET expires_at = now() - interval '1 s'")
    kept = a_notification(db, expires_at="2100-01-01T00:00Z")

    assert [len(await by_claim.expire(engine)) for _ in range(3)] == [EXPIRE_BATCH, 5, 0]
    assert row(db, kept)["notification_status"] == "PENDING"
