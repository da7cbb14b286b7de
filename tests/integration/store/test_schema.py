"""The state of a database's migrations, as the worker sees it."""

import asyncio
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.postgres import quick_server
from tests.support.rows import Db, engine_on, sqlalchemy_url
from xnovu_poller.dev.postgres import Postgres
from xnovu_poller.errors import SchemaAhead, SchemaBehind, SchemaUnreleased, StoreError, StoreUnavailable
from xnovu_poller.store import schema
from xnovu_poller.store.engine import Engine


@pytest.fixture(scope="module")
def bare_server() -> Iterator[Postgres]:
    """Lend a server without any migrated database: the roles are missing too."""
    with quick_server() as server:
        yield server


def plain(url: str, login: str) -> str:
    """Create a login without rights, and return its URL of the same database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {login} LOGIN PASSWORD 'plain'".encode())
    return f"postgresql://{login}:plain@{url.partition('@')[2]}"


async def test_a_migrated_database_passes(engine: Engine) -> None:
    """It is at our revision."""
    await schema.check(engine)


async def test_an_empty_database_is_behind(empty_database: str) -> None:
    """Its server has another migrated database: the roles exist, the schema does not."""
    async with engine_on(empty_database) as engine:
        with pytest.raises(SchemaBehind) as raised:
            await schema.check(engine)

    assert (raised.value.found, raised.value.required) == (None, schema.required_revision())


async def test_a_new_server_is_behind(bare_server: Postgres) -> None:
    """A missing role means a missing migration, not an outage."""
    async with engine_on(bare_server.url()) as engine:
        with pytest.raises(SchemaBehind):
            await schema.check(engine)


def stamp(url: str, revision: str) -> None:
    """Set a database to another version's revision."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE notify.alembic_version SET version_num = %s, compatible_from = NULL", [revision]
        )


@pytest.mark.parametrize("revision", ["0009", "0002_later", "0001_initial_"])
async def test_a_newer_versions_database_is_ahead(database: str, revision: str) -> None:
    """An upgrade by this version cannot help, so nobody is sent in a circle. Older versions wrote nothing that allows it."""
    stamp(database, revision)

    async with engine_on(database) as engine:
        with pytest.raises(SchemaAhead, match="deploy the newer version") as raised:
            await schema.check(engine)
    with pytest.raises(SchemaAhead) as refused:
        await asyncio.to_thread(schema.upgrade, sqlalchemy_url(database))

    assert (raised.value.found, raised.value.required) == (revision, schema.required_revision())
    assert str(refused.value) == str(raised.value)


async def test_an_older_versions_database_is_behind(database: str) -> None:
    """The message has the command to run."""
    stamp(database, "0001_initial")

    async with engine_on(database) as engine:
        with pytest.raises(SchemaBehind, match="xnovu db upgrade"):
            await schema.check(engine)


@pytest.mark.parametrize("number", range(1, 9))
async def test_an_unreleased_versions_database_is_refused(database: str, number: int) -> None:
    """The worker and the migrations raise the same message, which does not promise that an upgrade helps."""
    stamp(database, f"000{number}")

    async with engine_on(database) as engine:
        with pytest.raises(SchemaUnreleased, match=f"revision 000{number}") as raised:
            await schema.check(engine)
    for change in (schema.upgrade, schema.downgrade):
        with pytest.raises(SchemaUnreleased) as refused:
            await asyncio.to_thread(change, sqlalchemy_url(database), "base")
        assert str(refused.value) == str(raised.value)


async def test_a_login_without_the_role_gets_the_statement_to_ask_for(database: str, db: Db) -> None:
    """A retry would never help."""
    login = f"stranger_{uuid.uuid4().hex[:8]}"
    async with engine_on(plain(database, login)) as engine:
        with pytest.raises(StoreError, match=f"GRANT xnovu_worker TO {login}") as raised:
            await schema.check(engine)
    db.execute(f"DROP ROLE {login}".encode())

    assert not raised.value.retryable


async def test_a_dead_server_is_unavailable() -> None:
    """Nobody listens at its port."""
    async with engine_on("postgresql://nobody:secret@127.0.0.1:1/none") as engine:
        with pytest.raises(StoreUnavailable) as raised:
            await schema.check(engine)

    assert "secret" not in str(raised.value)


def test_upgrade_and_downgrade_report_an_outage_without_the_password() -> None:
    """Operators read the message, and so does everybody who reads the logs."""
    for change in (schema.upgrade, schema.downgrade):
        with pytest.raises(StoreError, match="does not answer") as raised:
            change("postgresql+psycopg://nobody:secret@127.0.0.1:1/none", "base")
        assert "secret" not in str(raised.value)


def test_an_unknown_revision_is_our_error(empty_database: str) -> None:
    """It is not Alembic's error."""
    with pytest.raises(StoreError, match="9999"):
        schema.upgrade(sqlalchemy_url(empty_database), "9999")
