"""The form of an arrow: rows are locked in the order of their ids, and only those of the caller."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg

from tests.support.rows import Db, a_notification, open_db, row, sqlalchemy_url, work
from tests.support.waiting import until_blocked
from xnovu_poller.lifecycle import Attempt, ErrorDetails, Hold, Status
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.notifications import by_claim, by_hold
from xnovu_poller.store.notifications.arrow import arrow, bind_holds, bind_works
from xnovu_poller.store.notifications.hold import hold

SECONDS = timedelta(seconds=10)


def test_an_arrow_names_its_rows_and_its_right() -> None:
    """Lock in the order of ids first, then change."""
    told = str(arrow("attempt = n.attempt", right="n.send_until IS NULL", more="untils"))

    assert told.index("ORDER BY n.id") < told.index("FOR UPDATE OF n") < told.index("UPDATE notify")
    assert "n.send_until IS NULL" in told
    assert "CAST(:untils AS timestamptz[])" in told


def test_rights_are_bound_side_by_side() -> None:
    """Parallel arrays, one place a row."""
    until = datetime(2026, 1, 1, tzinfo=UTC)

    assert bind_works([Attempt(1, 2), Attempt(3, 4)]) == {"ids": [1, 3], "attempts": [2, 4]}
    assert bind_holds([Hold(1, 2, until)]) == {"ids": [1], "attempts": [2], "untils": [until]}


async def test_an_empty_batch_moves_nothing(engine: Engine, db: Db) -> None:
    """No row is asked for, none moves."""
    a_notification(db, status=Status.PROCESSING)

    assert await by_claim.release(engine, []) == set()
    assert await by_hold.failed(engine, [], max_failures=8) == set()


async def test_the_same_row_twice_in_a_batch_moves_once(engine: Engine, db: Db) -> None:
    """A repeat is no second right."""
    made = a_notification(db, status=Status.PROCESSING)
    [one] = (await hold(engine, [work(db, made)], deadline=SECONDS, lease=SECONDS)).held

    await by_hold.unknown(engine, [(one.hold, ErrorDetails("a", "b"))] * 2)

    assert row(db, made)["unknown_outcomes"] == 1


async def test_batches_that_overlap_wait_and_never_deadlock(engine: Engine, db: Db, database: str) -> None:
    """Whatever order they are asked in: the second waits at the first common row, and then is late."""
    works = [work(db, a_notification(db, status=Status.PROCESSING)) for _ in range(4)]
    rivals = [connect(sqlalchemy_url(database), part=f"rival-{n}") for n in range(2)]
    try:
        with open_db(database) as keeper, keeper.transaction():
            lock(keeper, works[0].notification_id)
            first = asyncio.create_task(by_claim.release(rivals[0], works))
            await until_blocked(database, "xnovu:rival-0")
            second = asyncio.create_task(by_claim.release(rivals[1], works[::-1]))
            await until_blocked(database, "xnovu:rival-1")
            # Neither holds a later row while it waits for the first one.
            await asyncio.to_thread(lock_at_once, database, [one.notification_id for one in works[1:]])
        moved = await asyncio.gather(first, second)
    finally:
        for rival in rivals:
            await rival.dispose()

    assert sorted(map(len, moved)) == [0, 4]


async def test_a_batch_that_waited_sees_what_the_other_did(engine: Engine, db: Db, database: str) -> None:
    """A hold that was taken while a release waited for the row wins: the release is late."""
    asked = work(db, a_notification(db, status=Status.PROCESSING))
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

    assert moved == set()
    assert row(db, asked.notification_id)["notification_status"] == "PROCESSING"


async def test_two_holds_at_once_are_one(engine: Engine, db: Db, database: str) -> None:
    """Twins that hold the same row at the same moment: one sends, the other waits for it."""
    asked = work(db, a_notification(db, status=Status.PROCESSING))
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
