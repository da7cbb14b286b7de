"""The hold: the sole right to send, for a moment, and the fetch of all that the send needs."""

from datetime import timedelta

import pytest

from tests.support.rows import Db, a_notification, a_workflow, attempt_of, back_dated, row, written
from xnovu_poller.lifecycle import Attempt, Channel, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.hold import SEND_MARGIN, HoldResult, hold

DEADLINE = timedelta(seconds=10)
LEASE = timedelta(minutes=5)
HOUR = timedelta(hours=1)


async def held(engine: Engine, *attempts: Attempt, with_lapsed: bool = False) -> HoldResult:
    """Hold with the usual times."""
    return await hold(engine, attempts, deadline=DEADLINE, lease=LEASE, with_lapsed=with_lapsed)


async def test_a_hold_is_also_the_fetch(engine: Engine, db: Db) -> None:
    """All that the send needs comes with the right to make it."""
    workflow = a_workflow(db)
    made = a_notification(
        db,
        status=Status.PROCESSING,
        workflow=workflow,
        payload={"order": 5},
        recipients=["b", "a", "b"],
        channels=["EMAIL", "SMS"],
        overrides={"email": {}},
    )

    found = await held(engine, attempt_of(db, made))

    [one] = found.held
    kept = row(db, made)
    version = db.execute("SELECT updated_at FROM notify.ent_notification_workflow").fetchone()
    assert version is not None
    assert (one.hold.attempt, one.hold.until) == (Attempt(made, 1), kept["send_until"])
    assert (one.enterprise_id, one.workflow_id, one.workflow_version) == (
        "acme",
        workflow,
        version["updated_at"],
    )
    assert one.transaction_id == kept["transaction_id"]
    assert (one.payload, one.recipients, one.overrides) == ({"order": 5}, ["b", "a", "b"], {"email": {}})
    assert one.channels == [Channel.EMAIL, Channel.SMS]
    assert (one.refusals, one.unknown_outcomes, one.lapses, one.failure_count) == (0, 0, 0, 0)
    assert (one.withdrawn, one.expired, one.due_at) == (False, False, kept["created_at"])
    assert found == HoldResult(held=[one], lapsed=[], live=[], patience=timedelta(0))


async def test_a_hold_outlasts_its_call_and_prolongs_the_lease(engine: Engine, db: Db) -> None:
    """The send passes well within the lease."""
    made = a_notification(db, status=Status.PROCESSING)

    await held(engine, attempt_of(db, made))

    kept = row(db, made)
    written_at = kept["updated_at"]
    assert DEADLINE < kept["send_until"] - written_at <= DEADLINE + SEND_MARGIN
    assert DEADLINE + SEND_MARGIN < kept["lease_expires_at"] - written_at <= LEASE


async def test_a_bare_notification_is_fetched_too(engine: Engine, db: Db) -> None:
    """No workflow, no channels, no overrides: None; a set time that has passed is when it became due."""
    made = a_notification(db, status=Status.PROCESSING)
    db.execute("UPDATE notify.ent_notification SET scheduled_for = created_at + interval '1 microsecond'")

    [one] = (await held(engine, attempt_of(db, made))).held

    assert (one.workflow_id, one.workflow_version, one.channels, one.overrides) == (None, None, None, None)
    assert one.due_at == row(db, made)["scheduled_for"]


async def test_withdrawn_and_expired_are_told(engine: Engine, db: Db) -> None:
    """The executor settles them before it sends."""
    made = a_notification(db, status=Status.PROCESSING, expires_at="2020-01-01T00:00Z")
    written(db, made, retract_requested_at="2020-01-01T00:00Z")

    [one] = (await held(engine, attempt_of(db, made))).held

    assert (one.withdrawn, one.expired) == (True, True)


async def test_a_live_send_is_left_to_its_twin(engine: Engine, db: Db) -> None:
    """Nothing changes, and the caller learns how long to wait."""
    made = a_notification(db, status=Status.PROCESSING)
    await held(engine, attempt_of(db, made))
    before = row(db, made)

    for with_lapsed in (False, True):
        found = await held(engine, attempt_of(db, made), with_lapsed=with_lapsed)
        assert (found.held, found.lapsed, found.live) == ([], [], [attempt_of(db, made)])
        assert timedelta(0) < found.patience <= DEADLINE + SEND_MARGIN

    assert row(db, made) == before


@pytest.mark.parametrize("attempt", [0, 2])
async def test_another_attempt_is_late(engine: Engine, db: Db, attempt: int) -> None:
    """It is in none of the three, and nothing has changed."""
    made = a_notification(db, status=Status.PROCESSING)

    found = await held(engine, Attempt(made, attempt), with_lapsed=True)

    assert found == HoldResult(held=[], lapsed=[], live=[], patience=timedelta(0))
    assert row(db, made)["send_until"] is None


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PROCESSING])
async def test_only_what_is_processing_can_be_held(engine: Engine, db: Db, status: Status) -> None:
    """Nothing is sent that was given back, or is over."""
    made = a_notification(db, status=status)

    assert (await held(engine, attempt_of(db, made), with_lapsed=True)).held == []


async def test_a_lapse_is_counted_by_the_next_hold_alone(engine: Engine, db: Db) -> None:
    """A past `send_until` was cleared by nobody: a lapse, and an unknown outcome."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made, HOUR, "send_until")

    found = await held(engine, attempt_of(db, made))
    assert (found.held, found.lapsed) == ([], [attempt_of(db, made)])
    assert row(db, made)["lapses"] == 0

    [one] = (await held(engine, attempt_of(db, made), with_lapsed=True)).held
    assert (one.lapses, one.unknown_outcomes) == (1, 1)


async def test_what_lapsed_once_is_held_alone_for_ever(engine: Engine, db: Db) -> None:
    """Also when it was recorded in between, and comes with a group."""
    lapsed, sound = (a_notification(db, status=Status.PROCESSING) for _ in range(2))
    written(db, lapsed, lapses=1)

    found = await held(engine, attempt_of(db, lapsed), attempt_of(db, sound))

    assert [one.hold.notification_id for one in found.held] == [sound]
    assert found.lapsed == [attempt_of(db, lapsed)]


async def test_patience_is_until_the_last_live_send(engine: Engine, db: Db) -> None:
    """A group waits once."""
    first, second = (a_notification(db, status=Status.PROCESSING) for _ in range(2))
    await hold(engine, [attempt_of(db, first)], deadline=timedelta(seconds=1), lease=LEASE)
    await hold(engine, [attempt_of(db, second)], deadline=timedelta(seconds=100), lease=LEASE)

    found = await held(engine, attempt_of(db, first), attempt_of(db, second))

    assert found.live == [attempt_of(db, first), attempt_of(db, second)]
    assert found.patience > timedelta(seconds=50)


async def test_the_same_work_twice_is_held_once(engine: Engine, db: Db) -> None:
    """A repeat in the input is no second right."""
    made = a_notification(db, status=Status.PROCESSING)

    found = await held(engine, attempt_of(db, made), attempt_of(db, made))

    assert [one.hold.notification_id for one in found.held] == [made]


@pytest.mark.parametrize("time", ["infinity", "-infinity", "20000-01-01", "4000-01-01 BC"])
async def test_odd_times_take_nobody_along(engine: Engine, db: Db, time: str) -> None:
    """PostgreSQL keeps times that Python cannot read; a producer may write them, also after the claim."""
    workflow = a_workflow(db, created_at=time, updated_at=time)
    odd, sound = (a_notification(db, status=Status.PROCESSING, workflow=workflow) for _ in range(2))
    attempts = [attempt_of(db, odd), attempt_of(db, sound)]
    written(db, odd, scheduled_for=time, expires_at=time)

    found = await held(engine, *attempts)

    assert [one.hold.notification_id for one in found.held] == [odd, sound]
    assert found.held[0].expired is (time[0] == "-" or time.endswith("BC"))


async def test_odd_arrays_are_plain_lists(engine: Engine, db: Db) -> None:
    """PostgreSQL counts an array from wherever its producer began; one of two dimensions it refuses."""
    made = a_notification(db, status=Status.PROCESSING, recipients="[5:6]={a,b}", channels="[0:0]={SMS}")
    with pytest.raises(Exception, match="multidimensional"):
        a_notification(db, recipients="{{a,b},{c,d}}")

    [one] = (await held(engine, attempt_of(db, made))).held

    assert (one.recipients, one.channels) == (["a", "b"], [Channel.SMS])
