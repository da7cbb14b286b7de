"""The plan of an upgrade: the SQL that an upgrade runs, and the locks that it takes."""

import asyncio
import re
from collections.abc import Iterator
from itertools import pairwise

import psycopg
import pytest

from tests.support.migrating import objects, upgrade
from tests.support.rows import Db, a_rule, a_workflow, notifications, open_db, sqlalchemy_url
from xnovu_poller.errors import SchemaAhead, StoreError, StoreUnavailable
from xnovu_poller.store import plan, schema

REVISIONS = [script.revision for script in schema.scripts().walk_revisions()][::-1]
BOOKKEEPING = "SELECT version_num, compatible_from FROM notify.alembic_version"

STRENGTH = (
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""The modes that stop a writer or another migration, the weakest first."""

PUBLISHED = ["0009_words: notify.ent_enterprise: ['ShareRowExclusiveLock'], planned: []"]
"""It was published without a `LOCK TABLE` for a trigger that it creates; nobody can change it any more."""

TAKEN = """
    SELECT relation::regclass::text AS relation, mode FROM pg_locks
    WHERE locktype = 'relation' AND pid = pg_backend_pid() AND granted AND relation = ANY(%s) AND mode = ANY(%s)"""
READ = """
    SELECT relid, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) + n_tup_upd AS rows FROM pg_stat_xact_user_tables
    WHERE schemaname = 'notify'"""
ROWS = 1_000
TABLES = """
    SELECT oid, oid::regclass::text AS name, relfilenode FROM pg_class
    WHERE relnamespace = 'notify'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'"""


def parts(script: str) -> Iterator[tuple[bool, str]]:
    """Yield what psql would send: whole transactions, and the statements between them."""
    for number, part in enumerate(re.split(r"^(?:BEGIN|COMMIT);$", script, flags=re.MULTILINE)):
        if number % 2:
            yield True, part
        else:
            yield from ((False, statement) for statement in re.split(r"(?<=;)\n", part) if ";" in statement)


def strongest(modes: Iterator[str] | list[str]) -> int:
    """Return the place of the strongest of some modes; -1 if there is none."""
    return max((STRENGTH.index(mode) for mode in modes), default=-1)


def as_in_pg_locks(mode: str) -> str:
    """Return a mode of the manual as pg_locks names it."""
    return mode.title().replace(" ", "") + "Lock"


def test_a_person_can_run_the_script_with_psql(empty_database: str, database: str) -> None:
    """It makes the same schema, and the same line in the bookkeeping."""
    with open_db(empty_database) as db, open_db(database) as migrated:
        for _, sql in parts(plan.script("base", "head")):
            db.execute(sql.encode())
        assert db.execute(BOOKKEEPING).fetchall() == migrated.execute(BOOKKEEPING).fetchall()

    assert objects(empty_database) == objects(database)


def test_a_revision_takes_the_locks_of_its_plan_and_lets_no_writer_wait_for_long(empty_database: str) -> None:
    """Each table that was there before is locked as the plan has it, or less, and keeps its file.

    Where writers wait, no revision reads or writes the rows, so the wait does not grow with the table.
    """
    upgrade(empty_database, REVISIONS[0])
    faults: list[str] = []
    with open_db(empty_database) as db:
        notifications(db, ROWS)
        a_rule(db, workflow=a_workflow(db))
        for before, revision in pairwise(REVISIONS):
            script = plan.script(before, revision)
            for in_transaction, sql in parts(script):
                if in_transaction:
                    faults += [f"{revision}: {fault}" for fault in wrong(db, script, sql)]
                else:
                    db.execute(sql.encode())

    assert faults == PUBLISHED


def wrong(db: Db, script: str, sql: str) -> Iterator[str]:
    """Run a transaction; yield the tables that it locks more than the plan has, writes anew, or reads while writers wait."""
    tables = db.execute(TABLES).fetchall()
    with db.transaction():
        # PostgreSQL passes the counts of a session on once in a second, between transactions.
        before = {table["relid"]: table["rows"] for table in db.execute(READ)}
        db.execute(sql.encode())
        taken = db.execute(TAKEN, [[table["oid"] for table in tables], list(STRENGTH)]).fetchall()
        after = {table["oid"]: table["relfilenode"] for table in db.execute(TABLES)}
        read = {table["relid"]: table["rows"] - before.get(table["relid"], 0) for table in db.execute(READ)}
    for table in tables:
        planned = [
            as_in_pg_locks(lock.mode) for lock in plan.locks_of(script) if lock.relation == table["name"]
        ]
        found = [lock["mode"] for lock in taken if lock["relation"] == table["name"]]
        if strongest(found) > strongest(planned):
            yield f"{table['name']}: {found}, planned: {planned}"
        if after.get(table["oid"], table["relfilenode"]) != table["relfilenode"]:
            yield f"{table['name']} is written anew"
        if (
            strongest(found) > STRENGTH.index("ShareUpdateExclusiveLock")
            and read.get(table["oid"], 0) >= ROWS
        ):
            yield f"{table['name']}: reads {read[table['oid']]} rows while writers wait"


def test_what_lets_writers_wait_is_reported(db: Db) -> None:
    """An unplanned lock, a table that is written anew, and rows that are read: the measure itself measures."""
    rewrite = "ALTER TABLE notify.ent_enterprise ADD COLUMN other uuid DEFAULT gen_random_uuid()"
    lock = "LOCK TABLE notify.ent_enterprise IN ACCESS EXCLUSIVE MODE;"

    assert list(wrong(db, lock, "ALTER TABLE notify.ent_enterprise ADD COLUMN more text")) == []
    assert list(wrong(db, "", "ALTER TABLE notify.ent_enterprise DROP COLUMN more")) == [
        "notify.ent_enterprise: ['AccessExclusiveLock'], planned: []"
    ]
    assert list(wrong(db, lock, rewrite)) == ["notify.ent_enterprise is written anew"]

    notifications(db, ROWS)
    lock = lock.replace("ent_enterprise", "ent_notification")
    for change in (
        "CREATE INDEX of_names ON notify.ent_notification (name)",
        "ALTER TABLE notify.ent_notification ADD CONSTRAINT named CHECK (name <> '')",
        "LOCK TABLE notify.ent_notification IN SHARE ROW EXCLUSIVE MODE; UPDATE notify.ent_notification SET tags = '{}'",
    ):
        assert list(wrong(db, lock, change)) != [], change


def test_a_plan_names_the_sessions_in_the_way_and_changes_nothing(empty_database: str) -> None:
    """A reader is in the way of the strongest lock, and a transaction in that of an index."""
    upgrade(empty_database, "0007_guards")
    with open_db(empty_database) as db:
        db.execute("ALTER TABLE notify.alembic_version DROP COLUMN compatible_from")
    before = objects(empty_database)
    with psycopg.connect(empty_database, application_name="the-report") as reader:
        reader.execute("SELECT FROM notify.ent_notification")
        found = plan.plan(sqlalchemy_url(empty_database), "0008_logins")
        pid = reader.info.backend_pid

    mine = f"--   Now it would wait for pid {pid} (the-report, postgres, in a transaction since"
    lines = [line for line in found.splitlines() if line.startswith(("-- Lock", "--   Now"))]
    weak, strong, its_holder, build, its_transaction = lines
    assert weak.startswith("-- Lock: SHARE UPDATE EXCLUSIVE on notify.ent_notification: waits for VACUUM")
    assert strong.startswith("-- Lock: ACCESS EXCLUSIVE on notify.ent_notification: waits for all who use")
    assert build.startswith(
        "-- Lock: SHARE UPDATE EXCLUSIVE on notify.ent_notification: waits for all transactions"
    )
    assert its_holder.startswith(mine)
    assert its_transaction.startswith(mine)
    with open_db(empty_database) as db:
        assert db.execute("SELECT * FROM notify.alembic_version").fetchall() == [
            {"version_num": "0007_guards"}
        ]
    assert objects(empty_database) == before


async def test_without_a_revision_or_a_server_there_is_no_plan(database: str, db: Db) -> None:
    """Each has its sentence. If nothing is left to do, the plan has no SQL."""
    url = sqlalchemy_url(database)
    assert await asyncio.to_thread(plan.plan, url) == "-- Nothing is left to do."
    with pytest.raises(StoreError, match="there is no revision 'nope'"):
        plan.script("nope", "head")
    with pytest.raises(StoreUnavailable) as raised:
        await asyncio.to_thread(plan.plan, "postgresql+psycopg://nobody:secret@127.0.0.1:1/none")
    assert "secret" not in str(raised.value)
    db.execute(
        "UPDATE notify.alembic_version SET version_num = '9999_later', compatible_from = '0011_checks'"
    )
    with pytest.raises(SchemaAhead, match="deploy the newer version"):
        await asyncio.to_thread(plan.plan, url)
