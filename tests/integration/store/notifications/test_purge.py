"""What a purge deletes and, more important, what it keeps."""

import time
from datetime import timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.rows import Db, a_notification, row
from xnovu_poller.errors import ClocksApart, StoreLocked
from xnovu_poller.lifecycle import ChoreName, Status
from xnovu_poller.store import checks, chores
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.purge import PurgeResult, purge

KEEP = timedelta(days=90)
ENDED = [Status.SENT, Status.DEAD, Status.RETRACTED]
AGED = """
UPDATE notify.ent_notification SET created_at = created_at - %(age)s, updated_at = updated_at - %(age)s,
    processed_at = processed_at - %(age)s, retracted_at = retracted_at - %(age)s
WHERE id = ANY (%(ids)s)"""


def make_older(db: Db, *ids: int, days: int) -> None:
    """Make rows this many days older, past the guards."""
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(AGED, {"age": timedelta(days), "ids": list(ids)})


def ids_left(db: Db) -> list[int]:
    """Return the ids that are left."""
    return [found["id"] for found in db.execute("SELECT id FROM notify.ent_notification ORDER BY id")]


@pytest.mark.parametrize("status", ENDED)
async def test_rows_that_ended_long_ago_are_deleted(engine: Engine, db: Db, status: Status) -> None:
    """In each of the three final states; rows that ended two days later stay."""
    old, younger = a_notification(db, status=status), a_notification(db, status=status)
    make_older(db, old, days=91)
    make_older(db, younger, days=89)

    assert await purge(engine, 0, KEEP) == PurgeResult(1, younger)
    assert ids_left(db) == [younger]


@pytest.mark.parametrize("status", [status for status in Status if status not in ENDED])
async def test_rows_that_have_not_ended_stay_at_any_age(engine: Engine, db: Db, status: Status) -> None:
    """Somebody still has to get them."""
    made = a_notification(db, status=status)
    make_older(db, made, days=1000)

    assert (await purge(engine, 0, KEEP)).deleted == 0
    assert ids_left(db) == [made]


async def test_the_age_of_a_notification_counts_from_its_end(engine: Engine, db: Db) -> None:
    """A notification that is old but was sent today stays."""
    made = a_notification(db)
    make_older(db, made, days=1000)
    db.execute(
        "UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = 1,"
        " lease_expires_at = now(), temporal_workflow_id = 'w'"
    )
    db.execute(
        "UPDATE notify.ent_notification SET notification_status = 'SENT', lease_expires_at = NULL, processed_at = now()"
    )

    assert (await purge(engine, 0, KEEP)).deleted == 0


async def test_a_row_with_an_open_cancellation_stays(engine: Engine, db: Db) -> None:
    """Novu may still delay it; after Novu's answer the row is deleted."""
    made = a_notification(db, status=Status.SENT)
    db.execute("SELECT notify.retract(%s)", [made])
    make_older(db, made, days=91)
    assert (await purge(engine, 0, KEEP)).deleted == 0

    db.execute("UPDATE notify.ent_notification SET error_details = %s", [Jsonb({"cancel": "cancelled"})])
    assert (await purge(engine, 0, KEEP)).deleted == 1


async def test_its_deliveries_go_with_it(engine: Engine, db: Db) -> None:
    """Deliveries of other notifications stay."""
    old, other = a_notification(db, status=Status.SENT), a_notification(db, status=Status.SENT)
    for made in (old, other):
        db.execute(
            "INSERT INTO notify.ent_notification_delivery (notification_id, chunk, enterprise_id, recipients,"
            " transaction_id) VALUES (%s, 1, 'acme', '{s}', 'xn-1')",
            [made],
        )
    make_older(db, old, days=91)

    await purge(engine, 0, KEEP)

    left = db.execute("SELECT notification_id FROM notify.ent_notification_delivery").fetchall()
    assert left == [{"notification_id": other}]


async def test_a_purge_does_not_wait_for_a_locked_row(engine: Engine, db: Db, database: str) -> None:
    """A person may be reviving it; if it is still old afterwards, the next purge takes it."""
    held, other = a_notification(db, status=Status.DEAD), a_notification(db, status=Status.DEAD)
    make_older(db, held, other, days=91)
    with psycopg.connect(database) as person:
        person.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [held])

        assert (await purge(engine, 0, KEEP)).deleted == 1
        assert ids_left(db) == [held]

    assert (await purge(engine, 0, KEEP)).deleted == 1


async def test_a_purge_does_not_wait_for_another_replica(engine: Engine, db: Db, database: str) -> None:
    """Two purges at once would take twice the share, so the second reports a lock. No tenant can take that lock."""
    made = a_notification(db, status=Status.SENT)
    make_older(db, made, days=91)
    await chores.record(engine, ChoreName.RETENTION, timedelta(0), {})
    with psycopg.connect(database) as replica:
        replica.execute("SELECT FROM notify.chore WHERE name = 'retention' FOR UPDATE")
        with pytest.raises(StoreLocked):
            await purge(engine, 0, KEEP)
        assert [found.code for found in await checks.examine(engine)] == ["chore_locked"]

    assert await purge(engine, 0, KEEP) == PurgeResult(1, made)


@pytest.mark.parametrize("days", [400, -1])
async def test_nothing_is_purged_while_the_clocks_disagree(engine: Engine, db: Db, days: int) -> None:
    """Whichever of the two is wrong: a purge cannot be undone."""
    made = a_notification(db, status=Status.SENT)
    make_older(db, made, days=91)

    with pytest.raises(ClocksApart, match="differ by"):
        await purge(engine, 0, KEEP, clock=lambda: time.time() + days * 86_400)
    assert ids_left(db) == [made]


async def test_a_purge_goes_in_slices_and_ends_at_the_young_rows(engine: Engine, db: Db) -> None:
    """No slice is larger than requested; after a slice without an old row the purge ends."""
    old = [a_notification(db, status=Status.SENT) for _ in range(5)]
    waiting = a_notification(db)
    young = [a_notification(db, status=Status.SENT) for _ in range(5)]
    make_older(db, *old, waiting, days=91)

    first = await purge(engine, 0, KEEP, size=3)
    second = await purge(engine, first.after or 0, KEEP, size=3)
    third = await purge(engine, second.after or 0, KEEP, size=3)

    assert (first, second, third) == (PurgeResult(3, old[2]), PurgeResult(2, waiting), PurgeResult(0, None))
    assert ids_left(db) == [waiting, *young]
    assert row(db, waiting)["notification_status"] == "PENDING"


async def test_an_empty_table_has_nothing_old(engine: Engine) -> None:
    """The purge ends where it begins."""
    assert await purge(engine, 0, KEEP) == PurgeResult(0, None)


async def test_incidents_go_with_their_notification(engine: Engine, db: Db) -> None:
    """And those of rows that somebody else deleted; those of younger rows stay."""
    old, deleted, younger = (a_notification(db, status=Status.RETRACTED) for _ in range(3))
    make_older(db, old, days=91)
    db.execute("DELETE FROM notify.ent_notification WHERE id = %s", [deleted])

    assert (await purge(engine, 0, KEEP)).deleted == 1

    left = db.execute("SELECT notification_id FROM notify.ent_notification_event").fetchall()
    assert [each["notification_id"] for each in left] == [younger]
