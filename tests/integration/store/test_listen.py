"""LISTEN: notifications arrive at once, and arrive again after any loss of the connection."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.logs import logged_in_full
from tests.support.proxy import proxied
from tests.support.rows import Db, a_notification, a_rule, a_workflow
from tests.support.waiting import WITHIN, eventually
from xnovu_poller.settings.address import read_address
from xnovu_poller.store import listen
from xnovu_poller.store.listen import CHANNELS, DUE, LISTENS, RULES, Listener
from xnovu_poller.store.session import open_session

LISTENERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'xnovu:wakeup' AND datname = current_database()"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is given up only because a machine stands still during its check."""
    monkeypatch.setattr(listen, "_ANSWER_SECONDS", WITHIN)


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


async def test_a_flood_takes_no_memory(database: str, db: Db) -> None:
    """Anybody may notify; 80 MB that arrive before the answer to a statement are read, and only counted."""
    heard: list[str] = []
    async with listening(database, heard):
        tracemalloc.start()
        db.execute(
            "SELECT count(pg_notify('xnovu_due', lpad(i::text, 7900, 'x'))) FROM generate_series(1, 10000) AS i"
        )
        a_rule(db, workflow=a_workflow(db))
        await eventually(lambda: RULES in heard[2:])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20_000_000


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


async def test_the_listener_returns_after_an_outage_of_several_tries(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try logs why it failed; no line of the log has the password."""
    monkeypatch.setattr(listen, "_FIRST_PAUSE", timedelta(milliseconds=100))
    heard: list[str] = []
    with logged_in_full() as lines:
        async with (
            proxied(database) as proxy,
            listening(proxy.through(database), heard) as listener,
        ):
            proxy.cut()
            await eventually(lambda: lines.getvalue().count("wake-up connection lost") > 2)
            assert not listener.is_listening
            proxy.mend()
            await eventually(lambda: listener.is_listening)
    assert heard == [*CHANNELS, *CHANNELS]
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
        written = "SELECT last_value FROM notify.last_heard_ms"
        at_first = db.execute(written).fetchone()
        await eventually(lambda: db.execute(written).fetchone() != at_first)

        assert listener_pid(db) == before
        assert heard == list(CHANNELS)


async def test_notifications_of_rules_do_not_hide_that_a_worker_listens(database: str, db: Db) -> None:
    """Anybody may send them; after 30 s without a mark, a loop of rolled-back inserts would keep all commits silent."""
    heard: list[str] = []
    written = "SELECT last_value FROM notify.last_heard_ms"
    async with listening(database, heard, silence=timedelta(milliseconds=500)):
        at_first = db.execute(written).fetchone()

        def is_marked() -> bool:
            db.execute("NOTIFY xnovu_rules")
            return db.execute(written).fetchone() != at_first

        await eventually(is_marked)

    assert DUE not in heard[2:]


async def test_a_session_that_only_reads_fails_the_check(database: str) -> None:
    """After a failover it may still lead to the former primary, where nobody notifies."""
    async with await open_session(read_address(database), "test") as session:
        await session.execute("SET default_transaction_read_only = on")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await session.execute(LISTENS)


async def test_a_flood_is_passed_on_as_few_notifications(database: str, db: Db) -> None:
    """Anybody may NOTIFY as often as they like; each call of ours starts a turn of the loops."""
    heard: list[str] = []
    async with listening(database, heard):
        for _ in range(2):
            db.execute("SELECT pg_notify('xnovu_due', i::text) FROM generate_series(1, 5000) AS i")
        a_rule(db, workflow=a_workflow(db))
        await eventually(lambda: RULES in heard[2:])

        assert len(heard) < 50


async def test_producers_see_that_a_worker_listens_and_what_it_has_heard(database: str, db: Db) -> None:
    """In the sequence that the trigger of the wake-ups reads; a connection by itself keeps no commit silent."""
    ago = "SELECT extract(epoch FROM clock_timestamp()) * 1000 - last_value AS ago FROM notify.last_heard_ms"
    async with listening(database, []):
        at_start = db.execute(ago).fetchone()
        written = "SELECT last_value FROM notify.last_heard_ms"
        before = db.execute(written).fetchone()
        a_notification(db)
        await eventually(lambda: db.execute(written).fetchone() != before)
    assert at_start is not None
    assert at_start["ago"] >= 1000
