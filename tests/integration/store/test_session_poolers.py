"""Poolers: session mode works although it refuses startup options; transaction mode is refused before it harms others."""

import asyncio

import psycopg
import pytest

from tests.support.logins import a_login, without_login
from tests.support.pooler import session_pooler, transaction_pooler
from tests.support.postgres import as_worker
from tests.support.rows import Db, a_notification, a_workflow, engine_on
from tests.support.waiting import eventually
from xnovu_poller.errors import ConfigError
from xnovu_poller.store import schema
from xnovu_poller.store.listen import DUE, Listener
from xnovu_poller.store.notifications.backlog import count_backlog


async def test_the_pooler_refuses_startup_options(database: str) -> None:
    """As PgBouncer does; otherwise the tests below would prove nothing."""
    async with session_pooler(database) as pooler:
        with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter: options"):
            await psycopg.AsyncConnection.connect(pooler.through(database), options="-c geqo=off")


async def test_a_pooler_in_session_mode_serves_all_our_sessions(database: str, db: Db) -> None:
    """The pool, LISTEN and the migrations."""
    heard: list[str] = []
    async with session_pooler(database) as pooler:
        url = pooler.through(as_worker(database))
        async with engine_on(url) as engine:
            await schema.check(engine)
            assert (await count_backlog(engine))["new"] == 0
        listening = asyncio.create_task(Listener(url).run(heard.append))
        await eventually(lambda: heard)
        a_notification(db)
        await eventually(lambda: heard.count(DUE) > 1)
        listening.cancel()
        await asyncio.to_thread(schema.upgrade, pooler.through(database))


async def test_a_pooler_in_transaction_mode_is_refused(database: str) -> None:
    """By the worker, the commands and the migrations, before they set anything that would reach its other clients."""
    async with transaction_pooler(database) as pooler:
        async with engine_on(pooler.through(database)) as engine:
            with pytest.raises(ConfigError, match="for one transaction only"):
                await schema.check(engine)
        with pytest.raises(ConfigError, match="for one transaction only"):
            await asyncio.to_thread(schema.upgrade, pooler.through(database))
        async with await psycopg.AsyncConnection.connect(pooler.through(database), autocommit=True) as other:
            found = await (
                await other.execute("SELECT current_user, current_setting('search_path')")
            ).fetchone()
    assert found == ("postgres", '"$user", public')


async def test_producers_may_use_a_pooler_in_transaction_mode(database: str, db: Db) -> None:
    """They name their enterprise inside each transaction, so the next client of the same session has none."""
    a_workflow(db)
    login = a_login(database, "xnovu_producer")
    async with transaction_pooler(login) as pooler:
        for enterprise in ("acme", "globex"):
            async with await psycopg.AsyncConnection.connect(pooler.through(login)) as producer:
                # A pooler lends another session for the next transaction, where a prepared statement does not exist.
                producer.prepare_threshold = None
                before = await producer.execute("SELECT current_setting('app.current_enterprise_id', true)")
                assert await before.fetchone() in {(None,), ("",)}
                await producer.execute(
                    "SELECT set_config('app.current_enterprise_id', %s, true)", [enterprise]
                )
                await producer.execute(
                    "SELECT notify.enqueue(%s, 'order-shipped', '{ada}', '{}')", [enterprise]
                )
    without_login(database, login)
    found = db.execute("SELECT enterprise_id FROM notify.ent_notification ORDER BY id").fetchall()
    assert [row["enterprise_id"] for row in found] == ["acme", "globex"]
