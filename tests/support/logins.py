"""Real logins without rights of their own, as producers and workers have them."""

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
    name = login_url.partition("://")[2].partition(":")[0]
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def speak_for(db: Db, enterprise: str, *, local: bool = False) -> None:
    """Set the enterprise of the connection, for its session or for its transaction."""
    db.execute("SELECT set_config('app.current_enterprise_id', %s, %s)", [enterprise, local])


@pytest.fixture
def tenant(any_database: str) -> Iterator[Db]:
    """Yield the connection of a producer's login, which has no enterprise yet."""
    login = a_login(any_database, "xnovu_tenant")
    with open_db(login) as connection:
        yield connection
    without_login(any_database, login)
