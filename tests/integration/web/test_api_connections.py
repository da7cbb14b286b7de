"""Clients that hang, flood or take nothing cost others nothing."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from tests.support.api import ServedApi, served_api
from tests.support.rows import Db, a_notification
from tests.support.waiting import eventually
from xnovu_poller.web.api import bodies, connections
from xnovu_poller.web.api.application import MOST_AT_ONCE

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def api(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServedApi]:
    """Yield an API with room for a few connections."""
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    async with served_api(database) as served:
        yield served


async def connect(api: ServedApi, words: bytes = b"", source: str = "127.0.0.1") -> Client:
    """Open a connection from an address, and send something."""
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
    writer.write(words)
    return reader, writer


def head(api: ServedApi, key: str, length: int) -> bytes:
    """Return the head of a request with a body of this length."""
    host = api.url.removeprefix("http://")
    return (
        f"POST /api/notifications HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def is_closed(client: Client) -> bool:
    """Wait until the other side has closed a connection."""
    reader, writer = client
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass
    finally:
        writer.close()
    return True


async def test_a_flood_of_connections_shuts_out_only_itself(api: ServedApi, db: Db) -> None:
    """Silent connections, half a head, and bodies that never come; another address is served at once."""
    key = await api.key()
    kept = api.client(key)
    assert (await kept.get("/api/notifications")).status_code == 200
    partial = (b"", b"GET / HTTP/1.1\r\nHos", head(api, key, 100), head(api, key, 100) + b"[")
    flood = [await connect(api, words, "127.0.0.9") for words in partial * 15]
    # The client that was there before is kept too, because its address has fewer.
    for _ in range(3):
        assert (await kept.get("/api/notifications")).status_code == 200
        assert (await api.client(key).get("/livez")).status_code == 200
    closed = [asyncio.create_task(is_closed(client)) for client in flood]
    await eventually(lambda: sum(task.done() for task in closed) >= 30)
    for task in closed:
        task.cancel()
    for _, writer in flood:
        writer.close()


async def test_a_client_that_hangs_is_put_out(
    api: ServedApi, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its head is complete, during its body, and while it takes nothing of its answer."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr(connections, "TAKE_SECONDS", 0.1)
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.1)
    key = await api.key()
    for words in (b"", b"GET / HTTP/1.1\r\nHos"):
        assert await is_closed(await connect(api, words))
    reader, writer = await connect(api, head(api, key, 100) + b"[")
    answer = await reader.read(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert await is_closed((reader, writer))

    for _ in range(1000):
        a_notification(db, recipients=["subscriber-1" * 20])
    ask = f"GET /api/notifications?limit=1000 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    reader, writer = await connect(api, ask * 40)
    assert await eventually(lambda: asyncio.wait_for(is_gone(writer), 60))
    # Nobody else has noticed.
    assert (await api.client(key).get("/api/notifications")).status_code == 200


async def is_gone(writer: asyncio.StreamWriter) -> bool:
    """Return whether a client that reads nothing has learned that its connection is closed."""
    writer.write(b" ")
    try:
        await writer.drain()
    except ConnectionError:
        return True
    return writer.transport.is_closing()


async def test_an_enterprise_whose_requests_wait_leaves_room_for_others(
    api: ServedApi, db: Db, database: str
) -> None:
    """Its rows are locked by a transaction of its own, so its requests wait until their statements give up."""
    held = a_notification(db)
    client, other = api.client(await api.key("acme")), api.client(await api.key("globex"))

    def waiting() -> int:
        found = db.execute(
            "SELECT count(*) AS number FROM pg_stat_activity WHERE application_name = 'xnovu:api' AND wait_event_type = 'Lock'"
        ).fetchone()
        return int(found["number"]) if found else 0

    with psycopg.connect(database) as holder:
        holder.execute("SELECT FROM notify.ent_notification WHERE id = %s FOR UPDATE", [held])
        asked = [asyncio.create_task(client.post(f"/api/notifications/{held}/retract")) for _ in range(12)]
        await eventually(lambda: waiting() == MOST_AT_ONCE)
        for _ in range(5):
            assert (await other.get("/api/notifications")).status_code == 200
            assert waiting() <= MOST_AT_ONCE
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} <= {200, 503}
    locked = [answer.json()["detail"] for answer in answers if answer.status_code == 503]
    assert {*locked} == {"another transaction holds what the request needs; nothing was done"}
