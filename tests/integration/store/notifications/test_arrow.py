"""The form of an arrow: it locks its rows in the order of their ids, and only rows of the caller."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import TextClause

from tests.support import snapshots
from tests.support.rows import Db, a_notification, attempt_of, open_db, row, soon, written
from xnovu_poller.lifecycle import Attempt, ErrorDetails, Hold, Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim, by_hold
from xnovu_poller.store.notifications.arrow import bind_attempts, bind_holds, read_rightful
from xnovu_poller.store.notifications.hold import hold
from xnovu_poller.store.notifications.verdict import Ending, Verdict

SECONDS = timedelta(seconds=10)


BATCHES = {
    name: statement.text for name, statement in snapshots.ARROWS.items() if "unnest(" in statement.text
}


@pytest.mark.parametrize("statement", BATCHES.values(), ids=BATCHES.keys())
def test_an_arrow_locks_its_rows_in_the_order_of_their_ids_and_then_changes_them(statement: str) -> None:
    """It locks only rows in the state that the arrow begins with."""
    assert (
        statement.index("ORDER BY n.id")
        < statement.index("FOR NO KEY UPDATE OF n SKIP LOCKED")
        < statement.index("UPDATE notify")
    )
    assert "n.notification_status " in statement[: statement.index("ORDER BY n.id")]


@pytest.mark.parametrize("statement", snapshots.ARROWS.values(), ids=snapshots.ARROWS.keys())
def test_each_part_of_an_arrow_has_a_comment_on_its_purpose(statement: TextClause) -> None:
    """A comment follows each opening bracket of a WITH."""
    lines = [line.strip() for line in statement.text.splitlines()]
    opened = [number for number, line in enumerate(lines) if re.search(r"\bAS (MATERIALIZED )?\($", line)]

    assert [lines[number] for number in opened if not lines[number + 1].startswith("-- ")] == []


def test_rights_are_bound_as_parallel_arrays() -> None:
    """The arrays share their index: one place for each row."""
    until = datetime(2026, 1, 1, tzinfo=UTC)

    assert bind_attempts([Attempt(1, 2), Attempt(3, 4)]) == {"ids": "{1,3}", "attempts": "{2,4}"}
    assert bind_holds([Hold(Attempt(1, 2), until)]) == {
        "ids": "{1}",
        "attempts": "{2}",
        "untils": f"{{{until}}}",
    }


async def test_an_empty_batch_moves_nothing(engine: Engine, db: Db) -> None:
    """It asks for no row."""
    a_notification(db, status=Status.PROCESSING)

    assert await by_claim.release(engine, []) == {}
    assert await by_hold.record_failed(engine, [], max_failures=8) == {}


async def test_the_same_row_twice_in_a_batch_moves_once(engine: Engine, db: Db) -> None:
    """A repeat is not a second right."""
    made = a_notification(db, status=Status.PROCESSING)
    [held] = (await hold(engine, [attempt_of(db, made)], deadline=SECONDS)).held

    await by_hold.record_unknown(engine, [Verdict(Ending.UNKNOWN, held, ErrorDetails("a", "b"))] * 2)

    assert row(db, made)["unknown_outcomes"] == 1


async def test_an_arrow_skips_a_locked_row_and_does_not_wait(engine: Engine, db: Db, database: str) -> None:
    """The others move at once. The right to the skipped row stays valid, so it can be tried again."""
    attempts = [attempt_of(db, a_notification(db, status=Status.PROCESSING)) for _ in range(3)]
    locked = attempts[1]
    with open_db(database) as keeper, keeper.transaction():
        lock(keeper, locked.notification_id)
        moved = await by_claim.release(engine, attempts)

        assert moved.keys() == {attempts[0].notification_id, attempts[2].notification_id}
        assert await read_rightful(engine, attempts) == {locked.notification_id}
    assert await by_claim.release(engine, attempts) == {locked.notification_id: Status.PENDING}


async def test_a_record_tells_locked_rows_from_late_ones(engine: Engine, db: Db, database: str) -> None:
    """A hold that another has taken over is no right any more, even while the row is locked."""
    made = [a_notification(db, status=Status.PROCESSING) for _ in range(2)]
    held = (await hold(engine, [attempt_of(db, id_) for id_ in made], deadline=SECONDS)).held
    written(db, made[1], send_until=soon())
    with open_db(database) as keeper, keeper.transaction():
        for id_ in made:
            lock(keeper, id_)
        assert await by_hold.record_sent(engine, [Verdict(Ending.SENT, each) for each in held]) == {}
        assert await read_rightful(engine, [each.hold for each in held]) == {made[0]}


async def test_a_release_that_meets_a_hold_leaves_it_alone(engine: Engine, db: Db, database: str) -> None:
    """The hold wins, whether the release comes before or after its commit."""
    attempt = attempt_of(db, a_notification(db, status=Status.PROCESSING))
    with open_db(database) as sender:
        with sender.transaction():
            sender.execute(
                "UPDATE notify.ent_notification SET send_until = now() + interval '15 s' WHERE id = %s",
                [attempt.notification_id],
            )
            assert await by_claim.release(engine, [attempt]) == {}
        assert await by_claim.release(engine, [attempt]) == {}

    assert row(db, attempt.notification_id)["notification_status"] == "PROCESSING"


async def test_a_locked_row_is_not_held_and_can_be_held_later(engine: Engine, db: Db, database: str) -> None:
    """The others are held at once; a late attempt is not taken for a locked one."""
    free, locked, late = (attempt_of(db, a_notification(db, status=Status.PROCESSING)) for _ in range(3))
    late = late._replace(number=9)
    with open_db(database) as keeper, keeper.transaction():
        lock(keeper, locked.notification_id)
        found = await hold(engine, [free, locked, late], deadline=SECONDS)

        assert [each.hold.attempt for each in found.held] == [free]
        assert (found.locked, found.live, found.lapsed) == ([locked], [], [])
    [held] = (await hold(engine, [locked], deadline=SECONDS)).held
    assert (held.hold.attempt, held.lapses, held.unknown_outcomes) == (locked, 0, 0)


def lock(keeper: Db, notification_id: int) -> None:
    """Lock a row until the transaction ends."""
    keeper.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [notification_id])
