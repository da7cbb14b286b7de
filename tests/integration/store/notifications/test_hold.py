"""The hold: the sole right to send, for a moment, together with everything that the send needs."""

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


async def test_a_hold_fetches_everything_that_the_send_needs(engine: Engine, db: Db) -> None:
    """The right and the content come from the same statement, so they fit together."""
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

    [held_row] = found.held
    kept = row(db, made)
    version = db.execute("SELECT updated_at FROM notify.ent_notification_workflow").fetchone()
    assert version is not None
    assert (held_row.hold.attempt, held_row.hold.until) == (Attempt(made, 1), kept["send_until"])
    assert (held_row.enterprise_id, held_row.workflow_id, held_row.workflow_version) == (
        "acme",
        workflow,
        version["updated_at"],
    )
    assert held_row.transaction_id == kept["transaction_id"]
    assert (held_row.payload, held_row.recipients, held_row.overrides) == (
        {"order": 5},
        ["b", "a", "b"],
        {"email": {}},
    )
    assert held_row.channels == [Channel.EMAIL, Channel.SMS]
    assert (held_row.refusals, held_row.unknown_outcomes, held_row.lapses, held_row.failure_count) == (
        0,
        0,
        0,
        0,
    )
    assert (held_row.withdrawn, held_row.expired, held_row.due_at) == (False, False, kept["created_at"])
    assert found == HoldResult(held=[held_row], lapsed=[], live=[], patience=timedelta(0))


async def test_a_hold_outlasts_its_call_and_extends_the_lease(engine: Engine, db: Db) -> None:
    """The send ends well within the lease."""
    made = a_notification(db, status=Status.PROCESSING)

    await held(engine, attempt_of(db, made))

    kept = row(db, made)
    written_at = kept["updated_at"]
    assert DEADLINE < kept["send_until"] - written_at <= DEADLINE + SEND_MARGIN
    assert DEADLINE + SEND_MARGIN < kept["lease_expires_at"] - written_at <= LEASE


async def test_a_notification_without_optional_columns_is_fetched_too(engine: Engine, db: Db) -> None:
    """Missing columns are None; a past `scheduled_for` is the time when it became due."""
    made = a_notification(db, status=Status.PROCESSING)
    db.execute("UPDATE notify.ent_notification SET scheduled_for = created_at + interval '1 microsecond'")

    [held_row] = (await held(engine, attempt_of(db, made))).held

    assert (held_row.workflow_id, held_row.workflow_version, held_row.channels, held_row.overrides) == (
        None,
        None,
        None,
        None,
    )
    assert held_row.due_at == row(db, made)["scheduled_for"]


async def test_a_hold_shows_withdrawn_and_expired(engine: Engine, db: Db) -> None:
    """The executor settles these rows before it sends."""
    made = a_notification(db, status=Status.PROCESSING, expires_at="2020-01-01T00:00Z")
    written(db, made, retract_requested_at="2020-01-01T00:00Z")

    [held_row] = (await held(engine, attempt_of(db, made))).held

    assert (held_row.withdrawn, held_row.expired) == (True, True)


async def test_a_live_send_is_left_to_its_twin(engine: Engine, db: Db) -> None:
    """Nothing changes, and the caller learns how long it must wait."""
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
    """It is in none of the three lists, and nothing has changed."""
    made = a_notification(db, status=Status.PROCESSING)

    found = await held(engine, Attempt(made, attempt), with_lapsed=True)

    assert found == HoldResult(held=[], lapsed=[], live=[], patience=timedelta(0))
    assert row(db, made)["send_until"] is None


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PROCESSING])
async def test_only_processing_rows_can_be_held(engine: Engine, db: Db, status: Status) -> None:
    """A released or final row is not sent."""
    made = a_notification(db, status=status)

    assert (await held(engine, attempt_of(db, made), with_lapsed=True)).held == []


async def test_only_the_next_hold_counts_a_lapse(engine: Engine, db: Db) -> None:
    """A past `send_until` that nobody cleared is a lapse, and an unknown outcome."""
    made = a_notification(db, status=Status.PROCESSING)
    back_dated(db, made, HOUR, "send_until")

    found = await held(engine, attempt_of(db, made))
    assert (found.held, found.lapsed) == ([], [attempt_of(db, made)])
    assert row(db, made)["lapses"] == 0

    [held_row] = (await held(engine, attempt_of(db, made), with_lapsed=True)).held
    assert (held_row.lapses, held_row.unknown_outcomes) == (1, 1)


async def test_a_row_that_has_lapsed_is_always_held_by_itself(engine: Engine, db: Db) -> None:
    """Even if the lapse was recorded in between, and the row comes with a group."""
    lapsed, sound = (a_notification(db, status=Status.PROCESSING) for _ in range(2))
    written(db, lapsed, lapses=1)

    found = await held(engine, attempt_of(db, lapsed), attempt_of(db, sound))

    assert [held_row.hold.notification_id for held_row in found.held] == [sound]
    assert found.lapsed == [attempt_of(db, lapsed)]


async def test_patience_lasts_until_the_last_live_send_ends(engine: Engine, db: Db) -> None:
    """A group waits only once."""
    first, second = (a_notification(db, status=Status.PROCESSING) for _ in range(2))
    await hold(engine, [attempt_of(db, first)], deadline=timedelta(seconds=1), lease=LEASE)
    await hold(engine, [attempt_of(db, second)], deadline=timedelta(seconds=100), lease=LEASE)

    found = await held(engine, attempt_of(db, first), attempt_of(db, second))

    assert found.live == [attempt_of(db, first), attempt_of(db, second)]
    assert found.patience > timedelta(seconds=50)


async def test_the_same_attempt_twice_is_held_once(engine: Engine, db: Db) -> None:
    """A repeat in the input is not a second right."""
    made = a_notification(db, status=Status.PROCESSING)

    found = await held(engine, attempt_of(db, made), attempt_of(db, made))

    assert [held_row.hold.notification_id for held_row in found.held] == [made]


@pytest.mark.parametrize("time", ["infinity", "-infinity", "20000-01-01", "4000-01-01 BC"])
async def test_unreadable_times_affect_no_other_row(engine: Engine, db: Db, time: str) -> None:
    """PostgreSQL keeps times that Python cannot read; a producer may write them, even after the claim."""
    workflow = a_workflow(db, created_at=time, updated_at=time)
    odd, sound = (a_notification(db, status=Status.PROCESSING, workflow=workflow) for _ in range(2))
    attempts = [attempt_of(db, odd), attempt_of(db, sound)]
    written(db, odd, scheduled_for=time, expires_at=time)

    found = await held(engine, *attempts)

    assert [held_row.hold.notification_id for held_row in found.held] == [odd, sound]
    assert found.held[0].expired is (time[0] == "-" or time.endswith("BC"))


async def test_odd_arrays_are_plain_lists(engine: Engine, db: Db) -> None:
    """Lower bounds other than 1 do not matter; PostgreSQL refuses two dimensions."""
    made = a_notification(db, status=Status.PROCESSING, recipients="[5:6]={a,b}", channels="[0:0]={SMS}")
    with pytest.raises(Exception, match="multidimensional"):
        a_notification(db, recipients="{{a,b},{c,d}}")

    [held_row] = (await held(engine, attempt_of(db, made))).held

    assert (held_row.recipients, held_row.channels) == (["a", "b"], [Channel.SMS])
