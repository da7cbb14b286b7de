"""The migrations beside programs at work, beside objects of others, and after other tools changed the bookkeeping."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from tests.support.migrating import downgrade, objects, schemas, upgrade
from tests.support.postgres import alembic
from tests.support.rows import a_notification, a_workflow, open_db, sqlalchemy_url
from tests.support.waiting import WITHIN, wait_until
from xnovu_poller.errors import StoreError
from xnovu_poller.store import schema

ROWS = "SELECT count(*) AS rows FROM notify.ent_notification"


def rows(url: str) -> int:
    """Return the number of notifications."""
    with open_db(url) as db:
        found = db.execute(ROWS).fetchone()
    assert found is not None
    return int(found["rows"])


@contextmanager
def upgrading(url: str, revision: str = "head") -> Iterator[Future[None]]:
    """Upgrade in the background."""
    with ThreadPoolExecutor(1) as migration:
        yield migration.submit(upgrade, url, revision)


def is_waiting(url: str) -> bool:
    """Return whether a migration waits for a lock."""
    with open_db(url) as db:
        return (
            db.execute(
                "SELECT FROM pg_stat_activity WHERE application_name = 'xnovu:migrations'"
                " AND wait_event_type = 'Lock' AND datname = current_database()"
            ).rowcount
            > 0
        )


@pytest.mark.parametrize("command", [("stamp", "base"), ("stamp", "--purge", "base")], ids=" ".join)
def test_a_stamp_changes_the_bookkeeping_and_nothing_else(
    empty_database: str, command: tuple[str, ...]
) -> None:
    """People stamp a database whose version table confuses them: no row is lost, and a stamp puts it right again."""
    upgrade(empty_database)
    with open_db(empty_database) as db:
        a_notification(db)
    before = objects(empty_database)

    alembic(empty_database, *command)

    assert (rows(empty_database), objects(empty_database)) == (1, before)
    alembic(empty_database, "stamp", "head")
    upgrade(empty_database)
    assert rows(empty_database) == 1


@pytest.mark.parametrize("lost", ["DELETE FROM notify.alembic_version", "DROP TABLE notify.alembic_version"])
def test_a_schema_that_lost_its_revision_is_left_as_it_is(any_empty_database: str, lost: str) -> None:
    """The sentence names an object that exists, and the remedy."""
    upgrade(any_empty_database)
    with open_db(any_empty_database) as db:
        a_notification(db)
        db.execute(lost.encode())
    before = objects(any_empty_database)

    with pytest.raises(
        StoreError, match=r"already exists\); if notify.alembic_version lost its row"
    ) as raised:
        upgrade(any_empty_database)

    assert "\n" not in str(raised.value)
    assert (rows(any_empty_database), objects(any_empty_database)) == (1, before)


def test_a_table_of_others_with_our_name_is_left_alone(any_empty_database: str) -> None:
    """Nothing else is made beside it."""
    with open_db(any_empty_database) as db:
        db.execute("CREATE SCHEMA notify CREATE TABLE ent_notification (id int)")

    with pytest.raises(StoreError, match='relation "ent_notification" already exists'):
        upgrade(any_empty_database)

    with open_db(any_empty_database) as db:
        found = db.execute("SELECT relname FROM pg_class WHERE relnamespace = 'notify'::regnamespace")
        assert found.fetchall() == [{"relname": "ent_notification"}]


def test_a_producer_passes_a_migration_that_waits_for_a_reader(any_empty_database: str) -> None:
    """A report or a dump keeps its lock for minutes: the migration gives way to producers, and goes on afterwards."""
    upgrade(any_empty_database, "0001_initial")
    with open_db(any_empty_database) as db:
        a_workflow(db)
    with psycopg.connect(any_empty_database) as reader:
        reader.execute(ROWS.encode())
        with upgrading(any_empty_database) as upgraded:
            wait_until(lambda: is_waiting(any_empty_database))
            with open_db(any_empty_database) as producer:
                producer.execute("SELECT notify.enqueue('acme', 'order-shipped', '{a}')")
            assert not upgraded.done()
            reader.rollback()
            upgraded.result(WITHIN)

    assert rows(any_empty_database) == 1


def test_a_migration_waits_for_a_writer_and_lets_others_write(
    any_empty_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the process id and the program of the session in its way. No limit of the database ends the wait."""
    upgrade(any_empty_database, "0001_initial")
    writing = psycopg.connect(any_empty_database, application_name="the-application")
    with open_db(any_empty_database) as db:
        a_workflow(db)
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            db.execute(f"ALTER DATABASE {db.info.dbname} SET {limit} = '300ms'".encode())
    unlimited = "-c statement_timeout=0 -c lock_timeout=0"
    with writing as writer:
        writer.execute("SELECT notify.enqueue('acme', 'order-shipped', '{a}')")
        with upgrading(any_empty_database) as upgraded:
            wait_until(lambda: f"waiting for pid {writer.info.backend_pid} (the-application" in caplog.text)
            with psycopg.connect(any_empty_database, autocommit=True, options=unlimited) as producer:
                producer.execute("SELECT notify.enqueue('acme', 'order-shipped', '{b}')")
            assert not upgraded.done()
            writer.commit()
            upgraded.result(WITHIN)
        assert writer.execute(ROWS.encode()).fetchone() == (2,)


@pytest.mark.parametrize("revision", ["0002_roles", "0012_events"])
def test_a_migration_that_was_cut_off_goes_on(any_empty_database: str, revision: str) -> None:
    """The index that it was building is half made, and a retry builds it again."""
    upgrade(any_empty_database, revision)
    with psycopg.connect(any_empty_database) as writer:
        writer.execute(
            "INSERT INTO notify.ent_notification (enterprise_id, name, recipients) VALUES ('a', 'n', '{a}')"
        )
        with upgrading(any_empty_database) as upgraded:
            wait_until(lambda: is_waiting(any_empty_database), within=60)
            with open_db(any_empty_database) as admin:
                admin.execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%'"
                    " OR query LIKE '%CREATE INDEX CONCURRENTLY%' AND pid <> pg_backend_pid()"
                )
            with pytest.raises(StoreError, match="the migration was cancelled"):
                upgraded.result(timeout=60)
    with open_db(any_empty_database) as db:
        assert db.execute("SELECT FROM pg_index WHERE NOT indisvalid").rowcount == 1

    upgrade(any_empty_database)

    with open_db(any_empty_database) as db:
        assert db.execute("SELECT FROM pg_index WHERE NOT indisvalid").rowcount == 0
        assert db.execute("SELECT FROM pg_class WHERE relname LIKE '%\\_next'").rowcount == 0


@pytest.mark.parametrize("revision", ["0001_initial", "0002_roles", "0003_producers"])
def test_each_migration_goes_up_and_down_with_rows(any_empty_database: str, revision: str) -> None:
    """It comes back to the same schema, and no row is lost."""
    upgrade(any_empty_database, revision)
    before = objects(any_empty_database)
    with open_db(any_empty_database) as db:
        a_notification(db, workflow=a_workflow(db), dedup_key="once")

    for _ in range(2):
        upgrade(any_empty_database)
        schema.downgrade(sqlalchemy_url(any_empty_database), revision)

    assert (rows(any_empty_database), objects(any_empty_database)) == (1, before)
    downgrade(any_empty_database)
    assert schemas(any_empty_database) == ["public"]


def test_no_login_of_a_producer_can_hold_up_a_migration(any_empty_database: str) -> None:
    """The turn to migrate needs the right to write the bookkeeping of the migrations."""
    upgrade(any_empty_database, "0001_initial")
    with psycopg.connect(any_empty_database) as producer:
        producer.execute("SET ROLE xnovu_tenant")
        producer.commit()
        producer.execute("SELECT pg_advisory_lock(hashtext('xnovu-poller migrations'))")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            producer.execute("INSERT INTO notify.alembic_version VALUES ('a migration is under way')")
        producer.rollback()
        upgrade(any_empty_database)


def test_no_producer_gets_an_error_while_the_migrations_run(any_empty_database: str) -> None:
    """Not even a deadlock: producers take the locks of workflows and notifications in both orders."""
    upgrade(any_empty_database, "0001_initial")
    with open_db(any_empty_database) as db:
        workflow = a_workflow(db)
    insert = (
        "INSERT INTO notify.ent_notification (enterprise_id, name, recipients, notification_workflow_id)"  # noqa: S608 - a number
        f" VALUES ('acme', 'n', '{{a}}', {workflow})"
    )
    statements = ["SELECT notify.enqueue('acme', 'order-shipped', '{a}')", insert] * 3
    done = threading.Event()
    with ThreadPoolExecutor(len(statements)) as pool:
        producers = [
            pool.submit(produce_until, done, any_empty_database, statement) for statement in statements
        ]
        try:
            upgrade(any_empty_database)
        finally:
            done.set()
        written = sum(producer.result(timeout=60) for producer in producers)

    assert rows(any_empty_database) == written


def produce_until(done: threading.Event, url: str, statement: str) -> int:
    """Run a statement again and again; return how often."""
    with psycopg.connect(url, autocommit=True) as producer:
        count = 0
        # A pause, or the indexes would be built over more and more rows.
        while not done.wait(0.005):
            producer.execute(statement.encode())
            count += 1
    return count
