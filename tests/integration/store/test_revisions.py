"""The files of a revision, on both ways, and what it writes about the versions before."""

import asyncio
from pathlib import Path

import pytest

from tests.support.next_version import NextVersion
from tests.support.postgres import as_worker
from tests.support.rows import Db, open_db, sqlalchemy_url
from tests.support.waiting import eventually
from xnovu_poller.errors import SchemaAhead
from xnovu_poller.store import schema
from xnovu_poller.store.engine import connect

TABLE = "SET search_path = pg_catalog, pg_temp;\nCREATE TABLE notify.later (id int);\n"
INDEX = """SET search_path = pg_catalog, pg_temp;
CREATE INDEX CONCURRENTLY IF NOT EXISTS later_id
    ON notify.later (id)
    WHERE id % 2 = 0;
CREATE INDEX CONCURRENTLY IF NOT EXISTS later_odd ON notify.later (id) WHERE id % 2 = 1;
"""

INDEXES = """
    SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE indrelid = 'notify.later'::regclass ORDER BY relname"""

WAITING_DROP = """
    SELECT FROM pg_stat_activity
    WHERE query LIKE 'DROP INDEX CONCURRENTLY notify.later_id%' AND datname = current_database()
        AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '2 s'"""

COMMENT = """
    SELECT col_description(attrelid, attnum) AS comment FROM pg_attribute
    WHERE attrelid = 'notify.alembic_version'::regclass AND attname = 'compatible_from'"""


@pytest.fixture
def later(tmp_path: Path) -> NextVersion:
    """Return the next version, with a table of its own that the version before knows nothing of."""
    version = NextVersion.made(tmp_path, schema.required_revision())
    version.add("9001_table", "0011_checks", TABLE, "DROP TABLE notify.later;")
    return version


def bookkeeping(db: Db) -> tuple[str, str | None]:
    """Return the revision of the database, and from which revision on a version works with it."""
    found = db.execute("SELECT version_num, compatible_from FROM notify.alembic_version").fetchone()
    assert found is not None
    return found["version_num"], found["compatible_from"]


async def check(url: str) -> str | None:
    """Check the schema as a worker does."""
    engine = connect(sqlalchemy_url(as_worker(url)), part="test")
    try:
        return await schema.check(engine)
    finally:
        await engine.dispose()


async def test_this_version_goes_on_beside_the_next(later: NextVersion, database: str, db: Db) -> None:
    """Its workers start, and its migration is done already; only the way back is the newer version's."""
    before = bookkeeping(db)
    upgraded = await asyncio.to_thread(later.xnovu, "db", "upgrade", DATABASE_URL=database)
    assert (upgraded.returncode, upgraded.stderr) == (0, "")

    assert await check(database) == "9001_table"
    assert await asyncio.to_thread(schema.upgrade, sqlalchemy_url(database)) == "9001_table"
    assert bookkeeping(db) == ("9001_table", "0011_checks")
    with pytest.raises(SchemaAhead, match="deploy the newer version"):
        await asyncio.to_thread(schema.downgrade, sqlalchemy_url(database), "base")

    downgraded = await asyncio.to_thread(
        later.xnovu, "db", "downgrade", before[0], "--yes", DATABASE_URL=database
    )
    assert (downgraded.returncode, downgraded.stderr) == (0, "")
    assert bookkeeping(db) == before
    assert await check(database) is None


async def test_indexes_are_built_beside_writers_and_again_after_an_interruption(
    later: NextVersion, database: str, db: Db
) -> None:
    """What an interruption left is dropped first. A revision of which no older version can work is refused by them."""
    later.add("9002_index", "9002_index", INDEX, "DROP INDEX notify.later_id, notify.later_odd;")
    await asyncio.to_thread(later.xnovu, "db", "upgrade", "9001_table", DATABASE_URL=database)
    db.execute("CREATE INDEX later_id ON notify.later (id)")
    db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'notify.later_id'::regclass")

    # Longer than a lock that others wait for may be tried: nobody waits for this lock.
    with open_db(database) as writer, writer.transaction():
        writer.execute("INSERT INTO notify.later VALUES (1)")
        upgrade = asyncio.create_task(asyncio.to_thread(later.xnovu, "db", "upgrade", DATABASE_URL=database))
        await eventually(lambda: db.execute(WAITING_DROP).rowcount == 1)
    upgraded = await upgrade
    assert upgraded.returncode == 0, upgraded.stderr

    assert db.execute(INDEXES).fetchall() == [
        {"relname": "later_id", "indisvalid": True},
        {"relname": "later_odd", "indisvalid": True},
    ]
    for refused in (check(database), asyncio.to_thread(schema.upgrade, sqlalchemy_url(database))):
        with pytest.raises(SchemaAhead, match="deploy the newer version"):
            await refused


def test_a_database_of_an_older_version_gets_the_column(empty_database: str) -> None:
    """Its bookkeeping is that of Alembic; the next upgrade adds what versions need to know of each other."""
    schema.upgrade(sqlalchemy_url(empty_database), "0011_checks")
    with open_db(empty_database) as db:
        db.execute("ALTER TABLE notify.alembic_version DROP COLUMN compatible_from")

    schema.upgrade(sqlalchemy_url(empty_database))

    with open_db(empty_database) as db:
        assert bookkeeping(db)[0] == schema.required_revision()
        found = db.execute(COMMENT).fetchone()
    assert found is not None
    assert found["comment"].startswith("Versions whose own revision is this or a later one")
