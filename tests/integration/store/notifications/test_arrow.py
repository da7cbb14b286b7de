"""The form of an arrow: it locks its rows in the order of their ids, and only rows of the caller."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import TextClause

from tests.support import snapshots
from tests.support.rows import Db, a_notification, attempt_of, open_db, row, sqlalchemy_url
from tests.support.waiting import until_blocked
from xnovu_poller.lifecycle import Attempt, ErrorDetails, Hold, Status
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications import by_claim, by_hold
from xnovu_poller.store.notifications.arrow import bind_attempts, bind_holds
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
        < statement.index("FOR UPDATE OF n")
        < statement.index("UPDATE notify")
    )
    assert "n.notification_status = " in statement[: statement.index("ORDER BY n.id")]


@pytest.mark.parametrize("statement", snapshots.ARROWS.values(), ids=snapshots.ARROWS.keys())
def test_each_part_of_an_arrow_has_a_comment_on_its_purpose(statement: TextClause) -> None:
    """A comment follows each opening bracket of a WITH."""
    lines = [line.strip() for line in statement.text.splitlines()]
    opened = [number for number, line in enumerate(lines) if re.search(r"\bAS (MATERIALIZED )?\($", line)]

    assert [lines[number] for number in opened if not lines[number + 1].startswith("-- ")] == []


def test_rights_are_bound_as_parallel_arrays() -> None:
    """The arrays share their index: one place for each row."""
    until = datetime(2026, 1, 1, tzinfo=UTC)

    assert bind_attempts([Attempt(1, 2), Attempt(3, 4)]) == {"ids": [1, 3], "attempts": [2, 4]}
    assert bind_holds([Hold(Attempt(1, 2), until)]) == {"ids": [1], "attempts": [2], "untils": [until]}


async def test_an_empty_batch_moves_nothing(engine: Engine, db: Db) -> None:
    """It asks for no row."""
    a_notification(db, status=Status.PROCESSING)

    assert await by_claim.release(engine, []) == {}
    assert await by_hold.record_failed(engine, [], max_failures=8) == {}


async def test_the_same_row_twice_in_a_batch_moves_once(engine: Engine, db: Db) -> None:
    """A repeat is not a second right."""
    made = a_notification(db, status=Status.PROCESSING)
    [held] = (await hold(engine, [attempt_of(db, made)], deadline=SECONDS, lease=SECONDS)).held

    await by_hold.record_unknown(engine, [Verdict(Ending.UNKNOWN, held, ErrorDetails("a", "b"))] * 2)

    assert row(db, made)["unknown_outcomes"] == 1


async def test_batches_that_overlap_wait_and_never_deadlock(engine: Engine, db: Db, database: str) -> None:
    """In any order of ids, the second waits at the first common row, and then is late."""
    attempts = [attempt_of(db, a_notification(db, status=Status.PROCESSING)) for _ in range(4)]
    rivals = [connect(sqlalchemy_url(database), part=f"rival-{n}") for n in range(2)]
    try:
        with open_db(database) as keeper, keeper.transaction():
            lock(keeper, attempts[0].notification_id)
            first = asyncio.create_task(by_claim.release(rivals[0], attempts))
            await until_blocked(database, "xnovu:rival-0")
            second = asyncio.create_task(by_claim.release(rivals[1], attempts[::-1]))
            await until_blocked(database, "xnovu:rival-1")
            # Neither holds a later row while it waits for the first row.
            await asyncio.to_thread(
                lock_at_once, database, [attempt.notification_id for attempt in attempts[1:]]
            )
        moved = await asyncio.gather(first, second)
    finally:
        for rival in rivals:
            await rival.dispose()

    assert sorted(map(len, moved)) == [0, 4]


async def test_a_batch_that_waited_sees_what_the_other_did(engine: Engine, db: Db, database: str) -> None:
    """A hold that was taken while a release waited for the row wins: the release is late."""
    attempt = attempt_of(db, a_notification(db, status=Status.PROCESSING))
    rival = connect(sqlalchemy_url(database), part="rival")
    try:
        with open_db(database) as sender, sender.transaction():
            sender.execute(
                "UPDATE notify.ent_notification SET send_until = now() + interval '15 s' WHERE id = %s",
                [attempt.notification_id],
            )
            releasing = asyncio.create_task(by_claim.release(rival, [attempt]))
            await until_blocked(database, "xnovu:rival")
        moved = await releasing
    finally:
        await rival.dispose()

    assert moved == {}
    assert row(db, attempt.notification_id)["notification_status"] == "PROCESSING"


async def test_only_one_of_two_simultaneous_holds_succeeds(engine: Engine, db: Db, database: str) -> None:
    """Two twins hold the same row at the same moment: one sends, the other waits for it."""
    attempt = attempt_of(db, a_notification(db, status=Status.PROCESSING))
    rivals = [connect(sqlalchemy_url(database), part=f"twin-{n}") for n in range(2)]
    try:
        with open_db(database) as keeper, keeper.transaction():
            lock(keeper, attempt.notification_id)
            holds = [
                asyncio.create_task(hold(rival, [attempt], deadline=SECONDS, lease=SECONDS))
                for rival in rivals
            ]
            for n in range(2):
                await until_blocked(database, f"xnovu:twin-{n}")
        found = await asyncio.gather(*holds)
    finally:
        for rival in rivals:
            await rival.dispose()

    assert sorted(len(result.held) for result in found) == [0, 1]
    assert sorted(len(result.live) for result in found) == [0, 1]


def lock(keeper: Db, notification_id: int) -> None:
    """Lock a row until the transaction ends."""
    keeper.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [notification_id])


def lock_at_once(url: str, ids: list[int]) -> None:
    """Lock rows, or fail if anybody has locked a row."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT FROM notify.ent_notification WHERE id = ANY (%s) FOR UPDATE NOWAIT", [ids])
