"""LISTEN: notifications arrive at once, and arrive again after any loss of the connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from tests.support.logs import logged_in_full
from tests.support.proxy import proxied
from tests.support.rows import Db, a_notification, a_rule, a_workflow
from tests.support.waiting import eventually
from xnovu_poller.store import listen
from xnovu_poller.store.listen import CHANNELS, DUE, RULES, Listener

LISTENERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'xnovu:wakeup' AND datname = current_database()"


@asynccontextmanager
async def listening(
    url: str, heard: list[str], *, silence: timedelta = timedelta(30)
) -> AsyncIterator[Listener]:
    """Listen until the first connection stands; afterwards stop and leave no connection."""
    listener = Listener(url, silence=silence)
    running = asyncio.create_task(listener.run(heard.append))
    try:
        await eventually(lambda: listener.is_listening)
        yield listener
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert not listener.is_listening


def listener_pid(db: Db) -> int | None:
    """Return the server process of the only listener; None if there is none."""
    found = db.execute(LISTENERS).fetchall()
    assert len(found) <= 1
    return found[0]["pid"] if found else None


async def test_each_channel_is_received(database: str, db: Db) -> None:
    """The first connection counts as a notification of each, because nobody listened before."""
    heard: list[str] = []
    async with listening(database, heard):
        assert heard == list(CHANNELS)
        a_notification(db)
        await eventually(lambda: heard[2:] == [DUE])
        a_rule(db, workflow=a_workflow(db))
        await eventually(lambda: heard[3:] == [RULES])


async def test_a_stop_leaves_no_connection(database: str, db: Db) -> None:
    """And no line in the log."""
    with logged_in_full() as lines:
        async with listening(database, []):
            assert listener_pid(db) is not None
        await eventually(lambda: listener_pid(db) is None)
    assert lines.getvalue() == ""


async def test_a_killed_connection_comes_back(database: str, db: Db) -> None:
    """It counts as a notification of each channel, because commits of the meantime were not heard."""
    heard: list[str] = []
    async with listening(database, heard) as listener:
        before = listener_pid(db)
        db.execute("SELECT pg_terminate_backend(%s)", [before])

        await eventually(lambda: heard == [*CHANNELS, *CHANNELS] and listener.is_listening)
        assert listener_pid(db) not in {None, before}
        a_notification(db)
        await eventually(lambda: heard[4:] == [DUE])


async def test_the_listener_returns_after_an_outage_longer_than_the_pools_patience(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool gives up, and starts again at the next request; no line of the log has the password."""
    monkeypatch.setattr(listen, "_OUTAGE", timedelta(milliseconds=100))
    monkeypatch.setattr(listen, "_REQUEST_SECONDS", 0.1)
    monkeypatch.setattr(listen, "_FIRST_PAUSE", timedelta(milliseconds=100))
    heard: list[str] = []
    with logged_in_full() as lines:
        async with (
            proxied(database) as proxy,
            listening(proxy.through(database), heard) as listener,
        ):
            proxy.cut()
            await eventually(lambda: "reconnection attempt in pool" in lines.getvalue())
            assert not listener.is_listening
            proxy.mend()
            await eventually(lambda: listener.is_listening)
    assert heard == [*CHANNELS, *CHANNELS]
    assert "wake-up connection lost" in lines.getvalue()
    assert str(urlsplit(database).password) not in lines.getvalue()


async def test_a_half_open_connection_is_noticed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks open but is silent: it gets a query, and is dropped without an answer."""
    monkeypatch.setattr(listen, "_ANSWER_SECONDS", 0.1)
    heard: list[str] = []
    async with (
        proxied(database) as proxy,
        listening(proxy.through(database), heard, silence=timedelta(milliseconds=100)) as listener,
    ):
        proxy.hang()
        await eventually(lambda: not listener.is_listening)
        proxy.mend()
        await eventually(lambda: listener.is_listening)
        assert heard == [*CHANNELS, *CHANNELS]


async def test_a_quiet_connection_is_kept(database: str, db: Db) -> None:
    """It answers the query, so it stays the same connection."""
    heard: list[str] = []
    async with listening(database, heard, silence=timedelta(milliseconds=1)):
        before = listener_pid(db)
        query = "SELECT FROM pg_stat_activity WHERE pid = %s AND query = 'SELECT 1'"
        await eventually(lambda: db.execute(query, [before]).rowcount)

        assert listener_pid(db) == before
        assert heard == list(CHANNELS)
