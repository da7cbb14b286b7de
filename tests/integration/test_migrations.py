"""The migrations: up and down, on every version, with Alembic or by hand."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.support.migrating import comments, downgrade, objects, roles, schemas, upgrade
from tests.support.postgres import ROOT, alembic, quick_server
from tests.support.rows import Db, a_notification, a_workflow, open_db, sqlalchemy_url
from tests.support.waiting import wait_until
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.errors import StoreError
from xnovu_poller.models import Base
from xnovu_poller.store import schema

REVISION = ScriptDirectory(str(ROOT / "migrations")).get_revision("0001_initial").module
SQL = ROOT / "migrations" / "sql"


@pytest.fixture
def second_database(any_postgres_server: Postgres) -> Iterator[Callable[[], str]]:
    """Create further databases on the same server."""
    made: list[str] = []

    def make() -> str:
        made.append(f"second_{uuid.uuid4().hex[:12]}")
        return any_postgres_server.create_database(made[-1])

    yield make
    for name in made:
        any_postgres_server.drop_database(name)


def test_a_downgrade_leaves_nothing_and_the_next_upgrade_is_the_same(any_empty_database: str) -> None:
    """So an operator can try an upgrade and go back."""
    upgrade(any_empty_database)
    first = objects(any_empty_database)

    downgrade(any_empty_database)
    assert schemas(any_empty_database) == ["public"]

    upgrade(any_empty_database)
    assert objects(any_empty_database) == first


def test_a_downgrade_works_with_rows(any_empty_database: str) -> None:
    """It deletes them, and the database can be used again."""
    for _ in range(2):
        upgrade(any_empty_database)
        with open_db(any_empty_database) as db:
            a_notification(db, workflow=a_workflow(db))
        downgrade(any_empty_database)

    assert schemas(any_empty_database) == ["public"]


def test_a_downgrade_stops_at_foreign_objects(any_empty_database: str) -> None:
    """An operator's own view is worth more than the downgrade; nothing is dropped."""
    upgrade(any_empty_database)
    with open_db(any_empty_database) as db:
        db.execute("CREATE VIEW theirs AS SELECT id FROM notify.ent_notification")

    with pytest.raises(
        StoreError, match=r"drop what depends on our schema first: view public\.theirs depends on"
    ):
        downgrade(any_empty_database)

    with open_db(any_empty_database) as db:
        assert db.execute("SELECT FROM theirs").rowcount == 0
        a_notification(db)


def test_a_downgrade_leaves_what_others_made_in_our_schema(any_empty_database: str) -> None:
    """It drops the schema only if nothing else is in it."""
    upgrade(any_empty_database)
    with open_db(any_empty_database) as db:
        db.execute("CREATE TABLE notify.theirs AS SELECT 42 AS answer")

    downgrade(any_empty_database)

    with open_db(any_empty_database) as db:
        assert db.execute("SELECT answer FROM notify.theirs").fetchall() == [{"answer": 42}]
    upgrade(any_empty_database)


def test_a_person_can_run_the_files_with_psql(
    any_empty_database: str, second_database: Callable[[], str]
) -> None:
    """In order and with any search path; downwards too, without Alembic."""
    migrated = second_database()
    upgrade(migrated)
    with open_db(any_empty_database) as db:
        db.execute("SET search_path = nowhere")
        for name in REVISION.UP:
            db.execute((SQL / name).read_bytes())
    assert objects(any_empty_database) == objects(migrated)
    assert comments(any_empty_database) == comments(migrated)

    with open_db(any_empty_database) as db:
        db.execute((SQL / "downgrade.sql").read_bytes())
        left = db.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'notify'::regnamespace AND relkind = 'r'"
        )
        assert left.fetchall() == [{"relname": "alembic_version"}]
        assert db.execute("SELECT FROM pg_proc WHERE pronamespace = 'notify'::regnamespace").rowcount == 0


def test_everything_has_a_comment(any_database: str) -> None:
    r"""`\d+` explains each table, column, view, sequence of ours, type and function."""
    assert [name for name, comment in comments(any_database).items() if comment is None] == []


def test_the_models_are_the_migrated_schema(any_database: str, second_database: Callable[[], str]) -> None:
    """Columns, types, defaults, rules and indexes are equal."""
    scratch = second_database()
    with open_db(scratch) as db:
        db.execute("CREATE SCHEMA notify")
    engine = sa.create_engine(sqlalchemy_url(scratch))
    Base.metadata.create_all(engine)
    engine.dispose()

    assert objects(any_database) == objects(scratch)


def test_alembic_sees_no_difference(any_database: str) -> None:
    """Otherwise `alembic check` would write a migration."""
    engine = sa.create_engine(sqlalchemy_url(any_database))
    options = {
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "schema" or name == "notify",
        "version_table_schema": "notify",
        "compare_server_default": True,
        "autogenerate_plugins": schema.COMPARED,
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()

    # Alembic compares defaults by their values, and no two uuids are equal.
    assert [
        found for found in differences if "'transaction_id', {'existing_nullable'" not in repr(found)
    ] == []


def test_row_level_security_is_on_everywhere(any_database: str) -> None:
    """It covers every table that belongs to an enterprise, and applies to the owner too."""
    with open_db(any_database) as db:
        found = db.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'notify'::regnamespace AND relkind = 'r'"
            " AND relrowsecurity AND relforcerowsecurity"
        )
        protected = {row["relname"] for row in found}

    assert protected == {table.name for table in Base.metadata.tables.values()} - {"deployment", "chore"}


def test_views_use_their_readers_rights_where_possible(any_database: str) -> None:
    """`security_invoker` exists from PostgreSQL 15 on."""
    with open_db(any_database) as db:
        found = db.execute(
            "SELECT count(*) AS views FROM pg_class WHERE relkind = 'v' AND reloptions = '{security_invoker=true}'"
        ).fetchone()
        version = db.info.server_version

    assert found == {"views": 2 if version >= 150000 else 0}


def test_a_downgrade_leaves_the_roles_no_rights(
    any_empty_database: str, second_database: Callable[[], str]
) -> None:
    """Another database keeps the roles: the remaining schema and table must not depend on them."""
    upgrade(second_database())
    upgrade(any_empty_database)

    with open_db(any_empty_database) as db:
        db.execute((SQL / "downgrade.sql").read_bytes())
        found = db.execute(
            "SELECT FROM pg_shdepend WHERE refobjid::regrole::text IN ('xnovu_tenant', 'xnovu_worker')"
            " AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert found.rowcount == 0

    assert roles(any_empty_database) == ["xnovu_tenant", "xnovu_worker"]


def test_downgrade_keeps_roles_that_another_database_needs() -> None:
    """Roles belong to the whole server; the downgrade of the last database drops them."""
    with quick_server() as server:
        first, second = server.create_database("first"), server.create_database("second")
        upgrade(first)
        upgrade(second)

        downgrade(first)
        assert schemas(first) == ["public"]
        assert roles(first) == ["xnovu_tenant", "xnovu_worker"]
        upgrade(first)
        downgrade(first)

        downgrade(second)
        assert roles(second) == []


def test_migrations_at_once_run_one_after_the_other(any_empty_database: str) -> None:
    """Replicas that start together all migrate; each waits its turn, and the others find nothing to do."""
    # The keeper's connection closes first, so that a failure here leaves no replica waiting for its lock.
    with ThreadPoolExecutor(3) as replicas, open_db(any_empty_database) as keeper:
        keeper.execute("SELECT pg_advisory_lock(hashtext('xnovu-poller migrations'))")
        runs = [replicas.submit(alembic, any_empty_database, "upgrade", "head") for _ in range(3)]
        wait_until(lambda: _waiting(keeper) == 3, within=60)
        keeper.execute("SELECT pg_advisory_unlock_all()")
        for run in runs:
            run.result(timeout=60)

    assert "notify" in schemas(any_empty_database)


def _waiting(db: Db) -> int:
    found = db.execute(
        "SELECT count(*) AS waiting FROM pg_stat_activity"
        " WHERE application_name = 'xnovu:migrations' AND wait_event = 'advisory'"
    ).fetchone()
    assert found is not None
    return int(found["waiting"])


@pytest.mark.parametrize("revision", ["0001", "0008"])
def test_a_schema_of_an_unreleased_version_is_refused(empty_database: str, revision: str) -> None:
    """Alembic would take its 0001 for our first revision, and call the database up to date."""
    upgrade(empty_database)
    with open_db(empty_database) as db:
        db.execute("UPDATE notify.alembic_version SET version_num = %s", [revision])
    before = objects(empty_database)

    for arguments in (("upgrade", "head"), ("downgrade", "base"), ("current",)):
        completed = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=ROOT,
            env={"DATABASE_URL": empty_database},
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode != 0
        assert (
            f"was made by an unreleased version (revision {revision})" in completed.stdout + completed.stderr
        )
        assert "Traceback" not in completed.stdout + completed.stderr
    assert objects(empty_database) == before


def test_offline_mode_is_refused() -> None:
    """A script could not look up roles and versions."""
    completed = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head", "--sql"],
        cwd=ROOT,
        env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert completed.returncode != 0
    assert "migrations need a live database" in completed.stdout + completed.stderr
    assert "Traceback" not in completed.stdout + completed.stderr


def test_without_an_address_alembic_names_the_variable() -> None:
    """There is no traceback."""
    completed = subprocess.run(
        [sys.executable, "-m", "alembic", "current"],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert completed.returncode != 0
    assert "DATABASE_URL" in completed.stdout + completed.stderr
    assert "Traceback" not in completed.stdout + completed.stderr


def test_reading_the_revision_changes_nothing(empty_database: str) -> None:
    """`alembic current` leaves no schema, and drops none that another program has created."""
    alembic(empty_database, "current")
    assert schemas(empty_database) == ["public"]

    with open_db(empty_database) as db:
        db.execute("CREATE SCHEMA notify CREATE TABLE theirs (id int)")
    alembic(empty_database, "current")
    alembic(empty_database, "downgrade", "base")
    with open_db(empty_database) as db:
        assert db.execute("SELECT FROM notify.theirs").rowcount == 0
