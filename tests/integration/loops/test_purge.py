"""The purge as a loop: where its walks begin and end, and that it rests."""

from datetime import timedelta

import psycopg
import pytest

from tests.support.rows import Db
from xnovu_poller.loops.loop import Drain
from xnovu_poller.loops.purge import INTERVAL, Purge
from xnovu_poller.metrics import REGISTRY
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.purge import SLICE

KEEP = timedelta(days=90)
MANY = 2 * SLICE + 1


@pytest.fixture
def purge(engine: Engine) -> Purge:
    """The loop under test."""
    return Purge(engine, KEEP)


@pytest.fixture
def old(db: Db) -> None:
    """Make more old rows than two slices hold."""
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(
            "INSERT INTO notify.ent_notification (enterprise_id, name, recipients, notification_status,"
            " created_at, processed_at)"
            " SELECT 'acme', 'n', '{s}', 'SENT', now() - interval '91 d', now() - interval '91 d'"
            " FROM generate_series(1, %s)",
            [MANY],
        )


def left(db: Db) -> int:
    """Count what is left."""
    return db.execute("SELECT FROM notify.ent_notification").rowcount


def counted() -> float:
    """Read the counter."""
    return REGISTRY.get_sample_value("xnovu_notifications_purged_total") or 0


@pytest.mark.usefixtures("old")
async def test_a_turn_is_one_slice_and_a_longer_rest(purge: Purge, db: Db) -> None:
    """Until nothing old is left; then it rests until the next walk, which begins anew."""
    before = counted()
    rests = [await purge.turn() for _ in range(4)]

    assert left(db) == 0
    assert counted() - before == MANY
    assert all(timedelta(0) < rest < INTERVAL for rest in rests[:3])
    assert rests[3] == INTERVAL
    assert await purge.turn() == INTERVAL


@pytest.mark.usefixtures("old")
async def test_a_drain_turns_it_until_it_is_through(purge: Purge, db: Db) -> None:
    """As the timetable has it drained."""
    await Drain(purge).drain()

    assert left(db) == 0


@pytest.mark.usefixtures("old")
async def test_it_leaves_the_work_to_the_replica_that_is_at_it(purge: Purge, db: Db, database: str) -> None:
    """Both together would take twice the share."""
    with psycopg.connect(database) as replica:
        replica.execute("SELECT pg_advisory_xact_lock(hashtext('xnovu-poller purge'))")

        assert await purge.turn() == INTERVAL
    assert left(db) == MANY


@pytest.mark.usefixtures("old")
async def test_a_stopped_purge_begins_no_slice(purge: Purge, db: Db) -> None:
    """What is left is deleted after the next start."""
    purge.stop()

    assert await purge.turn() == INTERVAL
    assert left(db) == MANY
