"""Real logins without rights of their own, as producers, tenants and workers have them."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests.support.rows import Db, open_db


def a_login(url: str, *roles: str) -> str:
    """Create a login that is neither superuser nor owner but a member of roles; return its URL of the database."""
    name = f"login_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'plain'").format(sql.Identifier(name)))
        for role in roles:
            admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(name)))
    return f"postgresql://{name}:plain@{url.partition('@')[2]}"


def without_login(url: str, login_url: str) -> None:
    """Drop a login, which otherwise stays on the server."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name_of(login_url))))


def speak_for(db: Db, enterprise: str, *, local: bool = False) -> None:
    """Set the enterprise of the connection, for its session or for its transaction."""
    db.execute("SELECT set_config('app.current_enterprise_id', %s, %s)", [enterprise, local])


def bind(url: str, login_url: str, enterprise: str) -> None:
    """Bind a tenant's login to its enterprise, as an administrator does."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "INSERT INTO notify.tenant_login (login, enterprise_id) VALUES (%s, %s)",
            [name_of(login_url), enterprise],
        )


def name_of(login_url: str) -> str:
    """Return the name of a login, given its URL."""
    return login_url.partition("://")[2].partition(":")[0]


@pytest.fixture
def producer(any_database: str) -> Iterator[Db]:
    """Yield the connection of a producer's login, which has named no enterprise yet."""
    login = a_login(any_database, "xnovu_producer")
    with open_db(login) as connection:
        yield connection
    without_login(any_database, login)


@pytest.fixture
def tenant(any_database: str) -> Iterator[Db]:
    """Yield the connection of a tenant's login, which is bound to the enterprise acme."""
    login = a_login(any_database, "xnovu_tenant")
    bind(any_database, login, "acme")
    with open_db(login) as connection:
        yield connection
    without_login(any_database, login)
