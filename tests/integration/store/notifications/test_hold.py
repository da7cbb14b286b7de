"""The hold: the sole right to send, for a moment, together with everything that the send needs."""

import json
from datetime import timedelta

import pytest

from tests.support.rows import Db, a_notification, a_workflow, attempt_of, back_dated, row, written
from xnovu_poller.lifecycle import Attempt, Channel, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.hold import MOST_BYTES, SEND_MARGIN, HoldResult, hold

DEADLINE = timedelta(seconds=10)
HOUR = timedelta(hours=1)


async def held(engine: Engine, *attempts: Attempt, with_lapsed: bool = False) -> HoldResult:
    """Hold with the usual times."""
    return await hold(engine, attempts, deadline=DEADLINE, with_lapsed=with_lapsed)


async def test_a_hold_fetches_everything_that_the_send_needs(engine: Engine, db: Db) -> None:
    """The right and the content come from the same statement, so they fit together."""
    workflow = a_workflow(db)
    made = a_notification(
        db,
        status=Status.PROCESSING,
        workflow=workflow,
        payload={"order": 5},
        recipients=["b", "a"],
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
        b'{"order": 5}',
        ["b", "a"],
        b'{"email": {}}',
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


async def test_a_hold_outlasts_its_call_and_changes_no_index(engine: Engine, db: Db) -> None:
    """The lease that the claim wrote stays. A live send keeps the rescue out, even if the lease lapses during it."""
    made = a_notification(db, status=Status.PROCESSING)
    claimed = row(db, made)

    await held(engine, attempt_of(db, made))

    kept = row(db, made)
    assert DEADLINE < kept["send_until"] - kept["updated_at"] <= DEADLINE + SEND_MARGIN
    changed = {column for column in kept if kept[column] != claimed[column]}
    assert changed == {"send_until", "updated_at"}
    assert not changed & set(indexed_columns(db))


def indexed_columns(db: Db) -> list[str]:
    """Return the columns of the notifications on which an index depends, by its keys or its condition."""
    found = db.execute(
        "SELECT a.attname FROM pg_index i JOIN pg_depend d ON d.objid = i.indexrelid AND d.refobjid = i.indrelid"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid"
        " WHERE i.indrelid = 'notify.ent_notification'::regclass"
    )
    return [column["attname"] for column in found]


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
    await hold(engine, [attempt_of(db, first)], deadline=timedelta(seconds=30))
    await hold(engine, [attempt_of(db, second)], deadline=timedelta(seconds=100))

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


async def test_a_send_that_ends_later_than_any_can_is_a_lapse(engine: Engine, db: Db) -> None:
    """It was written while the database's clock was ahead, and binds nobody until then."""
    made = a_notification(db, status=Status.PROCESSING)
    written(db, made, send_until="2100-01-01T00:00Z")

    assert (await held(engine, attempt_of(db, made))).lapsed == [attempt_of(db, made)]
    [held_row] = (await held(engine, attempt_of(db, made), with_lapsed=True)).held
    assert (held_row.lapses, held_row.unknown_outcomes) == (1, 1)


async def test_the_lightest_are_held_as_far_as_there_is_room(engine: Engine, db: Db) -> None:
    """The others stay as they are, and their attempt goes on; none is taken for late."""
    heavy = [a_notification(db, status=Status.PROCESSING, payload={"t": "y" * 500_000}) for _ in range(2)]
    light = a_notification(db, status=Status.PROCESSING)
    attempts = [attempt_of(db, made) for made in (*heavy, light)]

    found = await hold(engine, attempts, deadline=DEADLINE, room=100_000)

    assert [each.hold.notification_id for each in found.held] == [light]
    assert list(found.heavy) == attempts[:2]
    assert all(most >= 500_000 for most in found.heavy.values())
    assert row(db, heavy[0])["send_until"] is None
    assert [len(json.loads(each.payload)["t"]) for each in (await held(engine, *attempts[:2])).held] == [
        500_000
    ] * 2


async def test_a_row_that_is_too_heavy_is_held_without_its_content(engine: Engine, db: Db) -> None:
    """It comes with its weight, so that it can be given up without reading it."""
    made = a_notification(db, status=Status.PROCESSING)
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(
            "UPDATE notify.ent_notification SET payload = jsonb_build_object('t', repeat('y', %s)) WHERE id = %s",
            [MOST_BYTES + 1, made],
        )

    [found] = (await held(engine, attempt_of(db, made))).held

    assert (found.payload, found.recipients, found.overrides) == (b"{}", [], None)
    assert MOST_BYTES < found.weight < MOST_BYTES + 1000
