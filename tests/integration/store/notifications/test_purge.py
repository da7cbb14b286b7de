"""What a purge deletes and, above all, what it does not."""

from datetime import timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.rows import Db, a_notification, row
from xnovu_poller.lifecycle import Status
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.purge import PurgeResult, purge

KEEP = timedelta(days=90)
ENDED = [Status.SENT, Status.DEAD, Status.RETRACTED]
AGED = """
UPDATE notify.ent_notification SET created_at = created_at - %(age)s, updated_at = updated_at - %(age)s,
    processed_at = processed_at - %(age)s, retracted_at = retracted_at - %(age)s
WHERE id = ANY (%(ids)s)"""


def aged(db: Db, *ids: int, days: int) -> None:
    """Make rows that many days older, whatever the guards say."""
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(AGED, {"age": timedelta(days), "ids": list(ids)})


def there(db: Db) -> list[int]:
    """Give the ids that are left."""
    return [one["id"] for one in db.execute("SELECT id FROM notify.ent_notification ORDER BY id")]


@pytest.mark.parametrize("status", ENDED)
async def test_what_has_ended_long_ago_goes(engine: Engine, db: Db, status: Status) -> None:
    """In each of the three ends; what ended a day later stays."""
    old, younger = a_notification(db, status=status), a_notification(db, status=status)
    aged(db, old, days=91)
    aged(db, younger, days=89)

    assert await purge(engine, 0, KEEP) == PurgeResult(1, younger)
    assert there(db) == [younger]


@pytest.mark.parametrize("status", [status for status in Status if status not in ENDED])
async def test_what_has_not_ended_stays_however_old(engine: Engine, db: Db, status: Status) -> None:
    """Somebody still has to hear it."""
    made = a_notification(db, status=status)
    aged(db, made, days=1000)

    assert (await purge(engine, 0, KEEP)).deleted == 0
    assert there(db) == [made]


async def test_a_notification_is_as_old_as_its_end(engine: Engine, db: Db) -> None:
    """One that was made long ago and was sent today is kept."""
    made = a_notification(db)
    aged(db, made, days=1000)
    db.execute(
        "UPDATE notify.ent_notification SET notification_status = 'PROCESSING', attempt = 1,"
        " lease_expires_at = now(), temporal_workflow_id = 'w'"
    )
    db.execute(
        "UPDATE notify.ent_notification SET notification_status = 'SENT', lease_expires_at = NULL, processed_at = now()"
    )

    assert (await purge(engine, 0, KEEP)).deleted == 0


async def test_a_cancel_that_is_still_to_be_asked_for_is_not_forgotten(engine: Engine, db: Db) -> None:
    """Novu may still delay it; once there is an answer the row goes."""
    made = a_notification(db, status=Status.SENT)
    db.execute("SELECT notify.retract(%s)", [made])
    aged(db, made, days=91)
    assert (await purge(engine, 0, KEEP)).deleted == 0

    db.execute("UPDATE notify.ent_notification SET error_details = %s", [Jsonb({"cancel": "cancelled"})])
    assert (await purge(engine, 0, KEEP)).deleted == 1


async def test_its_deliveries_go_with_it(engine: Engine, db: Db) -> None:
    """And no other's."""
    old, other = a_notification(db, status=Status.SENT), a_notification(db, status=Status.SENT)
    for made in (old, other):
        db.execute(
            "INSERT INTO notify.ent_notification_delivery (notification_id, chunk, enterprise_id, recipients,"
            " transaction_id) VALUES (%s, 1, 'acme', '{s}', 'xn-1')",
            [made],
        )
    aged(db, old, days=91)

    await purge(engine, 0, KEEP)

    left = db.execute("SELECT notification_id FROM notify.ent_notification_delivery").fetchall()
    assert left == [{"notification_id": other}]


async def test_a_row_that_somebody_holds_is_not_waited_for(engine: Engine, db: Db, database: str) -> None:
    """A person may be reviving it; if it is still old then, the next walk takes it."""
    held, other = a_notification(db, status=Status.DEAD), a_notification(db, status=Status.DEAD)
    aged(db, held, other, days=91)
    with psycopg.connect(database) as person:
        person.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [held])

        assert (await purge(engine, 0, KEEP)).deleted == 1
        assert there(db) == [held]

    assert (await purge(engine, 0, KEEP)).deleted == 1


async def test_another_replica_is_not_waited_for(engine: Engine, db: Db, database: str) -> None:
    """Two that purge at once would take twice the share; the second leaves it to the first."""
    made = a_notification(db, status=Status.SENT)
    aged(db, made, days=91)
    with psycopg.connect(database) as replica:
        replica.execute("SELECT pg_advisory_xact_lock(hashtext('xnovu-poller purge'))")
        assert await purge(engine, 0, KEEP) == PurgeResult(0, None, taken=True)

    assert await purge(engine, 0, KEEP) == PurgeResult(1, made)


async def test_a_walk_goes_slice_by_slice_and_ends_at_the_young(engine: Engine, db: Db) -> None:
    """No slice is larger than asked for; behind one without an old row nothing is looked at."""
    old = [a_notification(db, status=Status.SENT) for _ in range(5)]
    waiting = a_notification(db)
    young = [a_notification(db, status=Status.SENT) for _ in range(5)]
    aged(db, *old, waiting, days=91)

    first = await purge(engine, 0, KEEP, size=3)
    second = await purge(engine, first.after or 0, KEEP, size=3)
    third = await purge(engine, second.after or 0, KEEP, size=3)

    assert (first, second, third) == (PurgeResult(3, old[2]), PurgeResult(2, waiting), PurgeResult(0, None))
    assert there(db) == [waiting, *young]
    assert row(db, waiting)["notification_status"] == "PENDING"


async def test_an_empty_table_has_nothing_old(engine: Engine) -> None:
    """The walk ends where it begins."""
    assert await purge(engine, 0, KEEP) == PurgeResult(0, None)
