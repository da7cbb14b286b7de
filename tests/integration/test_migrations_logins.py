"""The migrations by logins that are no superusers: their rights, and the statements that an administrator must run."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests.support.incidents import incidents_of
from tests.support.migrating import downgrade, roles, schemas, upgrade
from tests.support.postgres import quick_server
from tests.support.rows import Db, a_notification, a_workflow, open_db
from xnovu_poller.errors import StoreError


@pytest.fixture
def plain_login() -> Iterator[tuple[str, str]]:
    """Return the superuser's and a plain owner's URL of an empty database, on a server without our roles."""
    with quick_server() as server:
        admin = server.url()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("CREATE ROLE \"App-Owner\" LOGIN PASSWORD 'plain' NOSUPERUSER NOCREATEROLE")
            connection.execute('CREATE DATABASE app OWNER "App-Owner"')
        yield server.url("app"), f"postgresql://App-Owner:plain@127.0.0.1:{server.port}/app"


def a_retraction(db: Db) -> list[tuple[str, str | None, int]]:
    """Retract a notification as a worker of the owner; return its incidents, which the owner's trigger has appended."""
    made = a_notification(db)
    db.execute("SET ROLE xnovu_worker")
    db.execute("SELECT notify.retract(%s)", [made])
    return incidents_of(db, made)


def test_a_plain_login_gets_the_statements_for_its_administrator(plain_login: tuple[str, str]) -> None:
    """After these statements it migrates, works and downgrades without further help; each migration has its own."""
    admin, plain = plain_login
    for number in (4, 2, 2, 3):
        with pytest.raises(StoreError, match="administrator") as raised:
            upgrade(plain)
        statements = re.findall(r"^ +((?:CREATE|GRANT) .*;)$", str(raised.value), re.MULTILINE)
        assert len(statements) == number
        with psycopg.connect(admin, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
    upgrade(plain)

    with open_db(plain) as db:
        a_notification(db, workflow=a_workflow(db))
        assert db.execute("SELECT FROM notify.v_notification_stats").rowcount == 1
        assert a_retraction(db) == [("retracted", None, 0)]
    upgrade(plain)
    downgrade(plain)
    assert schemas(admin) == ["public"]
    upgrade(plain)


def test_a_failed_migration_changes_nothing(plain_login: tuple[str, str]) -> None:
    """Statements before the failure are rolled back."""
    admin, plain = plain_login
    with pytest.raises(StoreError):
        upgrade(plain)

    assert schemas(admin) == ["public"]


def test_a_login_that_may_create_roles_needs_no_administrator(plain_login: tuple[str, str]) -> None:
    """CREATEROLE is enough; the login becomes a member of both roles."""
    admin, plain = plain_login
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute('ALTER ROLE "App-Owner" CREATEROLE')

    upgrade(plain)

    with open_db(plain) as db:
        assert a_retraction(db) == [("retracted", None, 0)]
    downgrade(plain)
    assert roles(admin) == []


def test_a_login_that_may_not_create_the_schema_gets_our_error(plain_login: tuple[str, str]) -> None:
    """It is not Alembic's traceback."""
    admin, plain = plain_login
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE app OWNER TO postgres"))

    with pytest.raises(StoreError, match="may not"):
        upgrade(plain)


def test_a_plain_owner_is_told_who_drops_the_event_trigger(plain_login: tuple[str, str]) -> None:
    """Only the superuser who made it may drop it."""
    admin, plain = plain_login
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute('ALTER ROLE "App-Owner" CREATEROLE')
        upgrade(plain)
        connection.execute(
            "CREATE EVENT TRIGGER xnovu_refuse_ddl ON ddl_command_start EXECUTE FUNCTION notify.refuse_ddl()"
        )
        with pytest.raises(StoreError, match="DROP EVENT TRIGGER xnovu_refuse_ddl;"):
            downgrade(plain)
        connection.execute("DROP EVENT TRIGGER xnovu_refuse_ddl")

    downgrade(plain)
    assert schemas(admin) == ["public"]
