"""A session: it depends on nothing that is set for the role, the database or the environment."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.support.logins import a_login, without_login
from tests.support.postgres import quick_server
from tests.support.rows import Db
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.errors import SchemaUnfit, StoreUnavailable
from xnovu_poller.settings.address import read_address
from xnovu_poller.store.session import ROLE, open_session, open_session_for_migrations

FOREIGN: Mapping[str, str] = {
    "search_path": '"$user", public',
    "client_encoding": "LATIN1",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "extra_float_digits": "-5",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "row_security": "off",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "statement_timeout": "9999",
    "lock_timeout": "9999",
    "idle_in_transaction_session_timeout": "9999",
    "idle_session_timeout": "9999",
    "transaction_timeout": "9999",
    "enable_seqscan": "on",
    "plan_cache_mode": "force_custom_plan",
    "jit": "on",
}
"""What an administrator, or a distribution of PostgreSQL, may set."""

ENVIRONMENT = {
    "PGOPTIONS": "-c search_path=public -c row_security=off",
    "PGCLIENTENCODING": "LATIN1",
    "PGTZ": "Asia/Kathmandu",
    "PGDATESTYLE": "German",
    "PGAPPNAME": "other",
}

_SETTINGS = """
    SELECT name, setting FROM pg_catalog.pg_settings
    WHERE pg_catalog.lower(name) = ANY (%s::pg_catalog.text[])"""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Open a session of the worker."""
    async with await open_session(read_address(url), "test") as session:
        yield session


async def settings_of(url: str) -> dict[str, str]:
    """Return the values of the foreign settings in a session of ours."""
    names = [name.lower() for name in FOREIGN]
    async with opened(url) as session:
        return dict(await (await session.execute(_SETTINGS, [names])).fetchall())


def set_everywhere(db: Db, login: str) -> None:
    """Set each foreign setting that this version has for the database and for the login."""
    known = {row["name"].lower() for row in db.execute("SELECT name FROM pg_settings")}
    for name, value in FOREIGN.items():
        if name.lower() in known:
            for place in (
                sql.SQL("DATABASE {}").format(sql.Identifier(db.info.dbname)),
                sql.SQL("ROLE {}").format(sql.Identifier(login)),
            ):
                words = sql.SQL('"$user", public') if name == "search_path" else sql.Literal(value)
                db.execute(sql.SQL("ALTER {} SET {} = {}").format(place, sql.Identifier(name), words))


async def test_what_others_set_does_not_count(any_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for the role and the database, nor in the environment; the worker's session is always the same."""
    expected = await settings_of(any_database)
    login = a_login(any_database, ROLE)
    with psycopg.connect(any_database, autocommit=True, row_factory=psycopg.rows.dict_row) as db:
        set_everywhere(db, read_address(login)["user"])
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    found = await settings_of(login)
    async with opened(login) as session:
        shown = await (
            await session.execute("SELECT pg_catalog.current_setting('application_name')")
        ).fetchone()

    without_login(any_database, login)
    assert found == expected
    assert found["search_path"] == "pg_catalog, notify, pg_temp"
    assert shown == ("xnovu:test",)


def test_a_migration_has_no_time_limit_of_its_role(database: str, db: Db) -> None:
    """And it finds nothing in `public`."""
    set_everywhere(db, "postgres")
    try:
        with open_session_for_migrations(read_address(database)) as session:
            found = dict(session.execute(_SETTINGS, [[name.lower() for name in FOREIGN]]).fetchall())
    finally:
        db.execute("ALTER ROLE postgres RESET ALL")

    assert (found["statement_timeout"], found["transaction_timeout"]) == ("0", "0")
    assert found["search_path"] == "pg_catalog, pg_temp"
    assert (found["client_encoding"], found["DateStyle"]) == ("UTF8", "ISO, YMD")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run a server without our roles."""
    with quick_server() as server:
        yield server


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
async def test_a_database_that_is_not_utf8_is_refused(postgres_server: Postgres, encoding: str) -> None:
    """It cannot hold every text, or does not know what its bytes mean."""
    name = f"in_{encoding.lower()}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0".encode())
    address = read_address(postgres_server.url(name))
    try:
        with pytest.raises(SchemaUnfit, match=f"its encoding is {encoding}"):
            await open_session(address, "test")
        with pytest.raises(SchemaUnfit, match=f"its encoding is {encoding}"):
            open_session_for_migrations(address)
    finally:
        postgres_server.drop_database(name)


async def test_a_missing_role_is_the_servers_own_sentence(server: Postgres) -> None:
    """An administrator may drop it while the worker runs."""
    with pytest.raises(StoreUnavailable, match=r'cannot serve now .*role "xnovu_worker" does not exist'):
        await open_session(read_address(server.url()), "test")
