"""The pool: every login works as the worker, and its errors are translated to ours."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from math import inf
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from tests.support.postgres import TEMPLATE, as_worker, migrated_copy, quick_server
from tests.support.proxy import proxied
from tests.support.rows import Db, a_notification, engine_on, open_db, row, sqlalchemy_url
from tests.support.waiting import eventually
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.store import engine as engine_module
from xnovu_poller.store.engine import Engine, acquire, connect, query
from xnovu_poller.store.session import ROLE

_SLEEPS = "SELECT FROM pg_stat_activity WHERE application_name = 'xnovu:single' AND wait_event = 'PgSleep'"


@asynccontextmanager
async def pool_of_one(url: str) -> AsyncIterator[Engine]:
    """Lend a pool of a single connection."""
    engine = connect(sqlalchemy_url(url), part="single", size=1)
    try:
        yield engine
    finally:
        await engine.dispose()


async def ask(engine: Engine, question: str) -> Any:  # noqa: ANN401 - any type of PostgreSQL's
    """Ask for a single value."""
    async with acquire(engine) as connection:
        return await connection.scalar(text(question))


async def ask_driver(engine: Engine, question: str) -> Any:  # noqa: ANN401 - any type of PostgreSQL's
    """Ask for a single value, as the statements do that every notification passes."""
    rows = await query(engine, text(question), {})
    return rows[0][0] if rows else None


Ask = Callable[[Engine, str], Awaitable[Any]]
BOTH = pytest.mark.parametrize("ask", [ask, ask_driver], ids=["sqlalchemy", "driver"])


async def test_a_superusers_login_works_as_the_worker(engine: Engine) -> None:
    """So row-level security holds with any login in DATABASE_URL."""
    assert await ask(engine, "SELECT current_user") == ROLE
    assert await ask(engine, "SELECT session_user") == "postgres"
    assert await ask(engine, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


async def test_a_connection_has_a_name_and_a_time_limit(engine: Engine) -> None:
    """An operator finds it in pg_stat_activity, and no statement runs for ever."""
    assert await ask(engine, "SELECT current_setting('application_name')") == "xnovu:test"
    assert await ask(engine, "SELECT current_setting('statement_timeout')") == "1min"
    assert await ask(engine, "SELECT current_setting('lock_timeout')") == "250ms"


async def test_options_of_the_url_are_kept(database: str) -> None:
    """Only the role is always ours."""
    async with pool_of_one(f"{database}?options=-c%20work_mem%3D7MB%20-c%20role%3Dnone") as engine:
        assert await ask(engine, "SELECT current_setting('work_mem')") == "7MB"
        assert await ask(engine, "SELECT current_user") == ROLE


async def test_a_rollback_does_not_take_the_role_away(database: str) -> None:
    """A rollback would undo a role that was set within the transaction."""
    async with pool_of_one(database) as engine:
        async with acquire(engine) as connection:
            await connection.execute(text("BEGIN"))
            await connection.execute(text("SET ROLE xnovu_tenant"))
            await connection.execute(text("ROLLBACK"))
        assert await ask(engine, "SELECT current_user") == ROLE


@pytest.mark.parametrize("change", ["SET ROLE xnovu_tenant", "SET ROLE none", "RESET ROLE"])
async def test_a_connection_with_another_role_is_not_handed_out(
    database: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the last check is too old, the next borrower gets a new connection if necessary."""
    monkeypatch.setattr(engine_module, "CHECK_SECONDS", 0.0)
    async with pool_of_one(database) as engine:
        await ask(engine, "SELECT 1")
        async with acquire(engine) as connection:
            await connection.execute(text(change))
        assert await ask(engine, "SELECT current_user") == ROLE


async def test_a_pooler_that_drops_the_role_is_reported(database: str) -> None:
    """A new connection does not help, so the error names the cause and nobody tries again in a loop."""
    async with pool_of_one(database) as engine:

        def drop(connection: DBAPIConnection, _: object) -> None:
            connection.cursor().execute("SET ROLE none")

        event.listen(engine.sync_engine, "connect", drop)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="does not keep the role xnovu_worker"):
                await ask(engine, "SELECT 1")


async def test_a_connection_that_was_cut_is_replaced(
    database: str, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that comes a second after a failover gets no error."""
    monkeypatch.setattr(engine_module, "CHECK_SECONDS", 0.0)
    async with pool_of_one(database) as engine:
        pid = await ask(engine, "SELECT pg_backend_pid()")
        db.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

        assert await ask(engine, "SELECT pg_backend_pid()") != pid


@BOTH
async def test_a_connection_cut_in_use_is_unavailable(ask: Ask, database: str, db: Db) -> None:
    """The statement may or may not have been executed; the caller tries again, in the same pool."""
    async with pool_of_one(database) as engine:
        pool = engine.pool
        sleeper = asyncio.ensure_future(ask(engine, "SELECT pg_sleep(30)"))
        await eventually(lambda: db.execute(_SLEEPS).rowcount)
        db.execute(_SLEEPS.replace("SELECT", "SELECT pg_terminate_backend(pid, 5000)"))
        with pytest.raises(StoreUnavailable):
            await sleeper
        assert engine.pool is pool
        assert await ask(engine, "SELECT 1") == 1


@BOTH
async def test_a_server_that_stops_is_unavailable(ask: Ask) -> None:
    """With and without an open connection; and the pool works again once the server is back."""
    with quick_server() as server:
        password = server.url().split(":")[2].split("@")[0]
        with open_db(server.url()) as admin:
            admin.execute("CREATE ROLE xnovu_worker")
        async with pool_of_one(server.url()) as engine:
            await ask(engine, "SELECT 1")
            server.stop()
            for _ in range(2):
                with pytest.raises(StoreUnavailable) as raised:
                    await ask(engine, "SELECT 1")
                assert password not in str(raised.value)
            server.start()
            assert await ask(engine, "SELECT 1") == 1


async def test_an_exhausted_pool_is_unavailable(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If every connection is lent, the borrower gets an error and does not wait for ever."""
    async with pool_of_one(database) as engine, acquire(engine):
        monkeypatch.setattr(engine.sync_engine.pool, "_timeout", 0.05)
        with pytest.raises(StoreUnavailable, match="no connection of the pool is free"):
            await ask(engine, "SELECT 1")


async def test_a_read_only_server_is_unavailable(database: str, db: Db) -> None:
    """After a failover the former primary refuses to write; the loops treat that as an outage."""
    made = a_notification(db)
    name = database.rpartition("/")[2]
    db.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())

    async with pool_of_one(database) as engine:
        with pytest.raises(StoreUnavailable):
            await ask(engine, "UPDATE notify.ent_notification SET priority = 1 RETURNING id")
    assert row(db, made)["priority"] == 0


@BOTH
async def test_a_statement_that_runs_too_long_is_unavailable(ask: Ask, database: str) -> None:
    """The server ends it, and the caller tries again."""
    async with pool_of_one(database) as engine:
        await ask(engine, "SELECT set_config('statement_timeout', '20ms', false)")
        with pytest.raises(StoreUnavailable):
            await ask(engine, "SELECT pg_sleep(30)")


@BOTH
async def test_a_server_that_does_not_answer_is_unavailable(
    ask: Ask, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server cannot end its long statement, so we do; and that connection is not lent again."""
    async with proxied(database) as proxy, pool_of_one(proxy.through(database)) as engine:
        await ask(engine, "SELECT 1")
        proxy.hang()
        with monkeypatch.context() as patch:
            patch.setattr(engine_module, "SILENCE_SECONDS", 0.2)
            waiting = asyncio.ensure_future(ask(engine, "SELECT 1"))
            # A further connection asks it to cancel the statement, and gets no answer either.
            await eventually(lambda: len(proxy._writers) == 4)
        proxy.cut()
        with pytest.raises(StoreUnavailable, match="no response within"):
            await waiting
        proxy.mend()
        assert await ask(engine, "SELECT 1") == 1


@BOTH
async def test_a_caller_that_is_cancelled_leaks_no_connection(ask: Ask, database: str, db: Db) -> None:
    """The next caller gets the only connection of the pool."""
    async with pool_of_one(database) as engine:
        sleeper = asyncio.ensure_future(ask(engine, "SELECT pg_sleep(30)"))
        await eventually(lambda: db.execute(_SLEEPS).rowcount)
        sleeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeper
        assert await ask(engine, "SELECT 1") == 1


@BOTH
async def test_an_error_of_ours_stays_an_error(ask: Ask, engine: Engine) -> None:
    """A bug must not look like an outage."""
    with pytest.raises(Exception, match="no_such_column"):
        await ask(engine, "SELECT no_such_column")


@pytest.fixture
def successor(database: str) -> Iterator[str]:
    """Yield the URL of a migrated database of the same name on another server."""
    with quick_server() as server, migrated_copy(server):
        yield server.create_database(database.rpartition("/")[2], template=TEMPLATE)


WRITE = "UPDATE notify.ent_notification SET priority = 1 RETURNING id"


async def demote(engine: Engine, db: Db) -> None:
    """Let a database only read from now on, also in the two sessions that a pool keeps open."""
    async with acquire(engine) as one, acquire(engine) as two:
        for connection in (one, two):
            await connection.execute(text("SET default_transaction_read_only = on"))
    db.execute(f"ALTER DATABASE {db.info.dbname} SET default_transaction_read_only = on".encode())


async def test_after_a_failover_the_pool_leaves_the_former_primary(
    database: str, successor: str, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first check that finds that it only reads drops all connections; they would be lent again and again."""
    monkeypatch.setattr(engine_module, "CHECK_SECONDS", 0.0)
    async with proxied(database) as proxy, engine_on(proxy.through(as_worker(database))) as engine:
        await demote(engine, db)
        with pytest.raises(StoreUnavailable, match="it only reads"):
            await ask(engine, WRITE)
        proxy.lead_to(successor)

        await asyncio.gather(*(ask(engine, WRITE) for _ in range(2)))


@BOTH
async def test_a_write_that_is_refused_drops_the_pool(
    ask: Ask, database: str, successor: str, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection was checked a moment ago, so only the error shows the failover."""
    monkeypatch.setattr(engine_module, "CHECK_SECONDS", inf)
    async with proxied(database) as proxy, engine_on(proxy.through(as_worker(database))) as engine:
        await demote(engine, db)
        proxy.lead_to(successor)
        with pytest.raises(StoreUnavailable, match=r"cannot serve now .cannot execute UPDATE in a read-only"):
            await ask(engine, WRITE)

        await asyncio.gather(*(ask(engine, WRITE) for _ in range(2)))


async def test_of_several_hosts_the_pool_takes_the_writer(database: str, successor: str, db: Db) -> None:
    """In both spellings of the address; a host that is away or only reads is passed over."""
    db.execute(f"ALTER DATABASE {db.info.dbname} SET default_transaction_read_only = on".encode())
    login, _, reader = as_worker(database).rpartition("/")[0].partition("@")
    writer = successor.rpartition("/")[0].rpartition("@")[2]
    for address in (
        f"{login}@127.0.0.1:1,{reader},{writer}/{db.info.dbname}",
        f"{login}@/{db.info.dbname}?host=127.0.0.1:1&host={reader}&host={writer}",
    ):
        async with pool_of_one(address) as engine:
            await ask(engine, WRITE)
            assert await ask(engine, "SELECT inet_server_port()") == int(writer.partition(":")[2])
