"""The form of an arrow: rows are locked in the order of their ids, and only those of the caller."""

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


BATCHES = {name: told.text for name, told in snapshots.ARROWS.items() if "unnest(" in told.text}


@pytest.mark.parametrize("told", BATCHES.values(), ids=BATCHES.keys())
def test_an_arrow_locks_its_rows_in_the_order_of_their_ids_and_then_changes_them(told: str) -> None:
    """And only rows whose state is the one that the arrow begins with."""
    assert told.index("ORDER BY n.id") < told.index("FOR UPDATE OF n") < told.index("UPDATE notify")
    assert "n.notification_status = " in told[: told.index("ORDER BY n.id")]


@pytest.mark.parametrize("told", snapshots.ARROWS.values(), ids=snapshots.ARROWS.keys())
def test_each_part_of_an_arrow_has_its_purpose_above_it(told: TextClause) -> None:
    """A sentence behind each opening bracket of a WITH."""
    lines = [line.strip() for line in told.text.splitlines()]
    opened = [number for number, line in enumerate(lines) if re.search(r"\bAS (MATERIALIZED )?\($", line)]

    assert [lines[number] for number in opened if not lines[number + 1].startswith("-- ")] == []


def test_rights_are_bound_side_by_side() -> None:
    """Parallel arrays, one place a row."""
    until = datetime(2026, 1, 1, tzinfo=UTC)

    assert bind_attempts([Attempt(1, 2), Attempt(3, 4)]) == {"ids": [1, 3], "attempts": [2, 4]}
    assert bind_holds([Hold(Attempt(1, 2), until)]) == {"ids": [1], "attempts": [2], "untils": [until]}


async def test_an_empty_batch_moves_nothing(engine: Engine, db: Db) -> None:
    """No row is asked for, none moves."""
    a_notification(db, status=Status.PROCESSING)

    assert await by_claim.release(engine, []) == {}
    assert await by_hold.record_failed(engine, [], max_failures=8) == {}


async def test_the_same_row_twice_in_a_batch_moves_once(engine: Engine, db: Db) -> None:
    """A repeat is no second right."""
    made = a_notification(db, status=Status.PROCESSING)
    [one] = (await hold(engine, [attempt_of(db, made)], deadline=SECONDS, lease=SECONDS)).held

    await by_hold.record_unknown(engine, [Verdict(Ending.UNKNOWN, one, ErrorDetails("a", "b"))] * 2)

    assert row(db, made)["unknown_outcomes"] == 1


async def test_batches_that_overlap_wait_and_never_deadlock(engine: Engine, db: Db, database: str) -> None:
    """Whatever order they are asked in: the second waits at the first common row, and then is late."""
    attempts = [attempt_of(db, a_notification(db, status=Status.PROCESSING)) for _ in range(4)]
    rivals = [connect(sqlalchemy_url(database), part=f"rival-{n}") for n in range(2)]
    try:
        with open_db(database) as keeper, keeper.transaction():
            lock(keeper, attempts[0].notification_id)
            first = asyncio.create_task(by_claim.release(rivals[0], attempts))
            await until_blocked(database, "xnovu:rival-0")
            second = asyncio.create_task(by_claim.release(rivals[1], attempts[::-1]))
            await until_blocked(database, "xnovu:rival-1")
            # Neither holds a later row while it waits for the first one.
            await asyncio.to_thread(lock_at_once, database, [one.notification_id for one in attempts[1:]])
        moved = await asyncio.gather(first, second)
    finally:
        for rival in rivals:
            await rival.dispose()

    assert sorted(map(len, moved)) == [0, 4]


async def test_a_batch_that_waited_sees_what_the_other_did(engine: Engine, db: Db, database: str) -> None:
    """A hold that was taken while a release waited for the row wins: the release is late."""
    asked = attempt_of(db, a_notification(db, status=Status.PROCESSING))
    rival = connect(sqlalchemy_url(database), part="rival")
    try:
        with open_db(database) as sender, sender.transaction():
            sender.execute(
                "UPDATE notify.ent_notification SET send_until = now() + interval '15 s' WHERE id = %s",
                [asked.notification_id],
            )
            releasing = asyncio.create_task(by_claim.release(rival, [asked]))
            await until_blocked(database, "xnovu:rival")
        moved = await releasing
    finally:
        await rival.dispose()

    assert moved == {}
    assert row(db, asked.notification_id)["notification_status"] == "PROCESSING"


async def test_two_holds_at_once_are_one(engine: Engine, db: Db, database: str) -> None:
    """Twins that hold the same row at the same moment: one sends, the other waits for it."""
    asked = attempt_of(db, a_notification(db, status=Status.PROCESSING))
    rivals = [connect(sqlalchemy_url(database), part=f"twin-{n}") for n in range(2)]
    try:
        with open_db(database) as keeper, keeper.transaction():
            lock(keeper, asked.notification_id)
            holds = [
                asyncio.create_task(hold(rival, [asked], deadline=SECONDS, lease=SECONDS)) for rival in rivals
            ]
            for n in range(2):
                await until_blocked(database, f"xnovu:twin-{n}")
        found = await asyncio.gather(*holds)
    finally:
        for rival in rivals:
            await rival.dispose()

    assert sorted(len(one.held) for one in found) == [0, 1]
    assert sorted(len(one.live) for one in found) == [0, 1]


def lock(keeper: Db, notification_id: int) -> None:
    """Lock a row until the transaction ends."""
    keeper.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [notification_id])


def lock_at_once(url: str, ids: list[int]) -> None:
    """Lock rows, or fail if anybody holds one."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT FROM notify.ent_notification WHERE id = ANY (%s) FOR UPDATE NOWAIT", [ids])
