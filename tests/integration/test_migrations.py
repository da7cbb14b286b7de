"""The migrations: up and down, on every version, with Alembic or by hand."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.support.migrating import comments, downgrade, objects, roles, schemas, upgrade
from tests.support.postgres import ROOT, alembic, quick_server
from tests.support.rows import Db, a_notification, a_workflow, open_db, sqlalchemy_url
from tests.support.waiting import WITHIN, wait_until
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.errors import StoreError
from xnovu_poller.models import Base
from xnovu_poller.store import schema

SQL = ROOT / "migrations" / "sql"
ROLES = ["xnovu_api", "xnovu_producer", "xnovu_reader", "xnovu_tenant", "xnovu_worker"]
REVISIONS = [
    script.module for script in ScriptDirectory(str(ROOT / "migrations")).walk_revisions()
]  # the newest first
UPWARDS = [
    name for module in reversed(REVISIONS) for name in getattr(module, "UP", (f"{module.revision}.sql",))
]
DOWNWARDS = [
    name
    for module in REVISIONS[:-1]
    for name in getattr(module, "DOWN", (f"{module.revision[:4]}_downgrade.sql",))
] + ["downgrade.sql"]


def run_file(db: Db, name: str) -> None:
    """Run a file as `psql --single-transaction` does, or without a transaction where it cannot have one."""
    file = (SQL / name).read_bytes()
    for statements in file.split(b";\n") if b" CONCURRENTLY " in file else [file]:
        db.execute(statements)


@pytest.fixture(scope="session")
def any_postgres_server(every_postgres_server: Postgres) -> Postgres:
    """The migrations are run on every version; other tests on the oldest and the newest."""
    return every_postgres_server


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
        for name in UPWARDS:
            run_file(db, name)
    assert objects(any_empty_database) == objects(migrated)
    assert comments(any_empty_database) == comments(migrated)

    with open_db(any_empty_database) as db:
        for name in DOWNWARDS:
            run_file(db, name)
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
        # The domains call one of its functions.
        refuse = (SQL / "0003_refusals.sql").read_text().split("COMMENT ON")[0]
        db.execute(refuse.encode())
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

    of_the_deployment = {"deployment", "chore", "workflow_sync"}
    assert protected == {table.name for table in Base.metadata.tables.values()} - of_the_deployment


def test_every_view_has_a_barrier(any_database: str) -> None:
    """And the views of producers use their reader's rights; `security_invoker` exists from PostgreSQL 15 on."""
    with open_db(any_database) as db:
        found = db.execute(
            "SELECT relname, reloptions FROM pg_class WHERE relkind = 'v' AND relnamespace = 'notify'::regnamespace"
        )
        options = {view["relname"]: set(view["reloptions"]) for view in found}
        version = db.info.server_version

    assert all("security_barrier=true" in chosen for chosen in options.values())
    assert {name for name, chosen in options.items() if "security_invoker=true" in chosen} == (
        {"v_workflow_stats", "v_notification_stats"} if version >= 150000 else set()
    )


def test_a_downgrade_leaves_the_roles_no_rights(
    any_empty_database: str, second_database: Callable[[], str]
) -> None:
    """Another database keeps the roles: the remaining schema and table must not depend on them."""
    upgrade(second_database())
    upgrade(any_empty_database)

    with open_db(any_empty_database) as db:
        for name in DOWNWARDS:
            run_file(db, name)
        found = db.execute(
            "SELECT FROM pg_shdepend WHERE refobjid::regrole::text ~ '^xnovu_'"
            " AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert found.rowcount == 0

    assert roles(any_empty_database) == ROLES


def test_downgrade_keeps_roles_that_another_database_needs() -> None:
    """Roles belong to the whole server; the downgrade of the last database drops them."""
    with quick_server() as server:
        first, second = server.create_database("first"), server.create_database("second")
        upgrade(first)
        upgrade(second)

        downgrade(first)
        assert schemas(first) == ["public"]
        assert roles(first) == ROLES
        upgrade(first)
        downgrade(first)

        downgrade(second)
        assert roles(second) == []


def test_migrations_at_once_run_one_after_the_other(any_empty_database: str, tmp_path: Path) -> None:
    """Replicas that start together all migrate; each waits its turn, and the others find nothing to do."""
    # The keeper's connection closes first, so that a failure here leaves no replica waiting for its turn.
    with ThreadPoolExecutor(3) as replicas, psycopg.connect(any_empty_database) as keeper:
        keeper.execute("CREATE SCHEMA notify")
        keeper.execute("CREATE TABLE notify.alembic_version (version_num varchar(32) PRIMARY KEY)")
        keeper.commit()
        keeper.execute("INSERT INTO notify.alembic_version VALUES ('a migration is under way')")
        errors = [tmp_path / str(number) for number in range(3)]
        runs = [replicas.submit(_upgrade_aloud, any_empty_database, path) for path in errors]
        mine = f"waiting for pid {keeper.info.backend_pid} "
        wait_until(lambda: all(path.exists() and mine in path.read_text() for path in errors))
        keeper.rollback()
        for run in runs:
            assert run.result(timeout=WITHIN) == 0

    with open_db(any_empty_database) as db:
        found = db.execute("SELECT version_num FROM notify.alembic_version")
        assert found.fetchall() == [{"version_num": schema.required_revision()}]


def _upgrade_aloud(url: str, errors: Path) -> int:
    """Upgrade as the program does, and write its messages into a file; return its exit code."""
    with errors.open("w") as file:
        return subprocess.run(
            [sys.executable, "-m", "xnovu_poller", "db", "upgrade"],
            env={"DATABASE_URL": url, "PATH": os.defpath},
            stdout=subprocess.DEVNULL,
            stderr=file,
            check=False,
        ).returncode


@pytest.mark.parametrize("revision", ["0001", "0008"])
def test_a_schema_of_an_unreleased_version_is_refused(database: str, revision: str) -> None:
    """Alembic would take its 0001 for our first revision, and call the database up to date."""
    with open_db(database) as db:
        db.execute("UPDATE notify.alembic_version SET version_num = %s", [revision])
    before = objects(database)

    for arguments in (("upgrade", "head"), ("downgrade", "base"), ("current",)):
        completed = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=ROOT,
            env={"DATABASE_URL": database},
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode != 0
        assert (
            f"was made by an unreleased version (revision {revision})" in completed.stdout + completed.stderr
        )
        assert "Traceback" not in completed.stdout + completed.stderr
    assert objects(database) == before


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
