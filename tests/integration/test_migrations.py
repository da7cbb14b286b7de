"""The migrations: there and back again, on every version, as whoever runs them."""

import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg import sql

from tests.support.postgres import ROOT, alembic, quick_server
from tests.support.rows import Db, a_notification, a_workflow, open_db, sqlalchemy_url
from tests.support.waiting import wait_until
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.errors import StoreError
from xnovu_poller.models import Base
from xnovu_poller.store import schema

OBJECTS = """
    SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) AS told
    FROM pg_constraint WHERE connamespace = 'notify'::regnamespace AND conrelid <> 0
        AND contype NOT IN ('n', 't') AND conrelid::regclass::text <> 'notify.alembic_version'
    UNION ALL
    SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'notify' AND tablename <> 'alembic_version'
    UNION ALL
    SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod),
        CASE WHEN attnotnull THEN 'NOT NULL' END, attidentity, pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef d ON (adrelid, adnum) = (c.oid, attnum)
    WHERE relnamespace = 'notify'::regnamespace AND relkind = 'r' AND attnum > 0 AND relname <> 'alembic_version'
    UNION ALL
    SELECT concat_ws(' ', 'domain', contypid::regtype, format_type(t.typbasetype, NULL), conname, pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN pg_type t ON t.oid = contypid WHERE connamespace = 'notify'::regnamespace
    UNION ALL
    SELECT concat_ws(' ', 'type', enumtypid::regtype, string_agg(enumlabel, ',' ORDER BY enumsortorder))
    FROM pg_enum GROUP BY enumtypid
"""


def objects(url: str) -> set[str]:
    """Give all tables' parts as PostgreSQL itself tells them."""
    with open_db(url) as db:
        return {found["told"] for found in db.execute(OBJECTS.encode())}


def schemas(url: str) -> list[str]:
    """Name the schemas of a database that are no system's."""
    with open_db(url) as db:
        found = db.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'")
        return sorted(one["nspname"] for one in found)


def roles(url: str) -> list[str]:
    """Name our roles that are there."""
    with open_db(url) as db:
        found = db.execute("SELECT rolname FROM pg_roles WHERE rolname IN ('xnovu_tenant', 'xnovu_worker')")
        return sorted(one["rolname"] for one in found)


def upgrade(url: str, revision: str = "head") -> None:
    """Upgrade as the program does."""
    schema.upgrade(sqlalchemy_url(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Downgrade as the program does."""
    schema.downgrade(sqlalchemy_url(url), revision)


@pytest.fixture
def second_database(any_postgres_server: Postgres) -> Iterator[Callable[[], str]]:
    """Make further databases on the same server."""
    made: list[str] = []

    def make() -> str:
        made.append(f"second_{uuid.uuid4().hex[:12]}")
        return any_postgres_server.create_database(made[-1])

    yield make
    for name in made:
        any_postgres_server.drop_database(name)


def test_up_down_up(any_empty_database: str) -> None:
    """Nothing is left behind, and the second way up leads to the same place."""
    upgrade(any_empty_database)
    first = objects(any_empty_database)

    downgrade(any_empty_database)
    assert schemas(any_empty_database) == ["public"]

    upgrade(any_empty_database)
    assert objects(any_empty_database) == first


def test_each_revision_can_be_undone_alone(any_empty_database: str) -> None:
    """Also with rows there, and the way back up is open."""
    upgrade(any_empty_database)
    with open_db(any_empty_database) as db:
        a_notification(db, workflow=a_workflow(db))

    for revision in ("0007", "0006", "0005", "0004", "0003", "0002", "0001"):
        downgrade(any_empty_database, revision)
        upgrade(any_empty_database)
        downgrade(any_empty_database, revision)

    with open_db(any_empty_database) as db:
        assert db.execute("SELECT FROM notify.ent_notification").rowcount == 1


def test_the_models_are_the_migrated_schema(any_database: str, second_database: Callable[[], str]) -> None:
    """Column for column, type for type, default for default, rule for rule, index for index."""
    scratch = second_database()
    with open_db(scratch) as db:
        db.execute("CREATE SCHEMA notify")
    engine = sa.create_engine(sqlalchemy_url(scratch))
    Base.metadata.create_all(engine)
    engine.dispose()

    assert objects(any_database) == objects(scratch)


def test_alembic_sees_no_difference(any_database: str) -> None:
    """`alembic check` would write an empty migration."""
    engine = sa.create_engine(sqlalchemy_url(any_database))
    options = {
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "schema" or name == "notify",
        "version_table_schema": "notify",
        "compare_server_default": True,
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()

    # Alembic compares defaults by their values, and no uuid is like another.
    assert [one for one in differences if "'transaction_id', {'existing_nullable'" not in repr(one)] == []


def test_row_level_security_is_on_everywhere(any_database: str) -> None:
    """On all that belongs to an enterprise, and for the owner too."""
    with open_db(any_database) as db:
        found = db.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'notify'::regnamespace AND relkind = 'r'"
            " AND relrowsecurity AND relforcerowsecurity"
        )
        protected = {one["relname"] for one in found}

    assert protected == {table.name for table in Base.metadata.tables.values()} - {"deployment", "chore"}


def test_views_run_as_their_reader_where_they_can(any_database: str) -> None:
    """`security_invoker` from PostgreSQL 15 on."""
    with open_db(any_database) as db:
        found = db.execute(
            "SELECT count(*) AS views FROM pg_class WHERE relkind = 'v' AND reloptions = '{security_invoker=true}'"
        ).fetchone()
        version = db.info.server_version

    assert found == {"views": 2 if version >= 150000 else 0}


def test_a_downgrade_leaves_tenants_nothing(
    any_empty_database: str, second_database: Callable[[], str]
) -> None:
    """Without its policies a table is closed to them, also while another database keeps the roles."""
    upgrade(second_database())
    upgrade(any_empty_database)

    downgrade(any_empty_database, "0002")

    assert roles(any_empty_database) == ["xnovu_tenant", "xnovu_worker"]
    with open_db(any_empty_database) as db:
        found = db.execute(
            "SELECT has_any_column_privilege('xnovu_tenant', c.oid, 'SELECT, INSERT, UPDATE')"
            " OR has_any_column_privilege('xnovu_worker', c.oid, 'SELECT, INSERT, UPDATE') AS open"
            " FROM pg_class c WHERE relnamespace = 'notify'::regnamespace AND relkind = 'r'"
        ).fetchall()
    assert found
    assert not any(one["open"] for one in found)


def test_downgrade_keeps_roles_that_another_database_needs() -> None:
    """They belong to the whole server; the last one to leave takes them along."""
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


def test_two_migrations_at_once_are_one_after_the_other(any_empty_database: str) -> None:
    """Replicas that start together all migrate; the second waits for the first and finds it done."""
    with open_db(any_empty_database) as keeper, ThreadPoolExecutor(3) as replicas:
        keeper.execute("SELECT pg_advisory_lock(hashtext('xnovu-poller migrations'))")
        runs = [replicas.submit(alembic, any_empty_database, "upgrade", "head") for _ in range(3)]
        wait_until(lambda: _waiting(keeper) == 3)
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


def test_offline_mode_is_refused() -> None:
    """A script could not look up roles and versions."""
    ran = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head", "--sql"],
        cwd=ROOT,
        env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode != 0
    assert "migrations need a live database" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr


def test_without_an_address_alembic_says_so() -> None:
    """The variable's name, and no traceback."""
    ran = subprocess.run(
        [sys.executable, "-m", "alembic", "current"],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode != 0
    assert "DATABASE_URL" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr


def test_asking_changes_nothing(empty_database: str) -> None:
    """`alembic current` leaves no schema, and takes none away that another program has made."""
    alembic(empty_database, "current")
    assert schemas(empty_database) == ["public"]

    with open_db(empty_database) as db:
        db.execute("CREATE SCHEMA notify CREATE TABLE theirs (id int)")
    alembic(empty_database, "current")
    alembic(empty_database, "downgrade", "base")
    with open_db(empty_database) as db:
        assert db.execute("SELECT FROM notify.theirs").rowcount == 0


@pytest.fixture
def plain_login() -> Iterator[tuple[str, str]]:
    """Give the superuser's and a plain owner's URL of an empty database, on a server without our roles."""
    with quick_server() as server:
        admin = server.url()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("CREATE ROLE \"App-Owner\" LOGIN PASSWORD 'plain' NOSUPERUSER NOCREATEROLE")
            connection.execute('CREATE DATABASE app OWNER "App-Owner"')
        yield server.url("app"), f"postgresql://App-Owner:plain@127.0.0.1:{server.port}/app"


def test_a_plain_login_is_told_what_an_administrator_runs(plain_login: tuple[str, str]) -> None:
    """And after that it migrates, works and goes back by itself."""
    admin, plain = plain_login
    with pytest.raises(StoreError, match="administrator") as raised:
        upgrade(plain)
    statements = re.findall(r"^ +((?:CREATE|GRANT) .*;)$", str(raised.value), re.MULTILINE)
    assert len(statements) == 4

    with psycopg.connect(admin, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    upgrade(plain)

    with open_db(plain) as db:
        a_notification(db, workflow=a_workflow(db))
        assert db.execute("SELECT FROM notify.v_notification_stats").rowcount == 1
    upgrade(plain)
    downgrade(plain)
    assert schemas(admin) == ["public"]
    upgrade(plain)


def test_a_failed_migration_changes_nothing(plain_login: tuple[str, str]) -> None:
    """The tables of the revisions before it are not there either."""
    admin, plain = plain_login
    with pytest.raises(StoreError):
        upgrade(plain)

    with open_db(admin) as db:
        assert db.execute("SELECT FROM pg_class WHERE relnamespace = 'notify'::regnamespace").rowcount == 0


def test_a_login_that_may_make_roles_needs_no_administrator(plain_login: tuple[str, str]) -> None:
    """CREATEROLE is enough; it becomes a member of both."""
    admin, plain = plain_login
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute('ALTER ROLE "App-Owner" CREATEROLE')

    upgrade(plain)

    with open_db(plain) as db:
        a_notification(db)
        db.execute("SET ROLE xnovu_worker")
    downgrade(plain)
    assert roles(admin) == []


def test_a_login_that_may_not_make_the_schema_is_told(plain_login: tuple[str, str]) -> None:
    """Not Alembic's traceback."""
    admin, plain = plain_login
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE app OWNER TO postgres"))

    with pytest.raises(StoreError, match="may not"):
        upgrade(plain)
