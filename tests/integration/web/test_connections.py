"""What clients that ask nothing, too much, or never stop can do to the port."""

import asyncio
from collections.abc import Iterable

import pytest

from tests.integration.web.conftest import always, served
from tests.support.waiting import WITHIN, eventually
from xnovu_poller.web import connections, health
from xnovu_poller.web.connections import MOST_CONNECTIONS, MOST_HEADER_BYTES
from xnovu_poller.web.health import Probe, ProbeAnswer

HALF = b"GET /livez HTT"
WHOLE = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"

Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(port: int, data: bytes) -> Raw:
    """Open a connection and write to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    return reader, writer


async def rest(raw: Raw) -> bytes:
    """Read until the server closes or resets the connection."""
    reader, writer = raw
    received = bytearray()
    try:
        while part := await reader.read(65_536):
            received += part
    except ConnectionError:
        pass
    writer.close()
    return bytes(received)


def close_all(clients: Iterable[Raw]) -> None:
    """Close the connections of clients."""
    for _, writer in clients:
        writer.close()


async def test_silent_clients_do_not_shut_out_one_that_asks() -> None:
    """The oldest connection without a request gives way, so at most MOST_CONNECTIONS files are open."""
    async with served() as client:
        assert client.base_url.port
        silent = [await connect(client.base_url.port, HALF) for _ in range(3 * MOST_CONNECTIONS)]

        answer = await client.get("/livez")

        await eventually(lambda: sum(reader.at_eof() for reader, _ in silent) > 2 * MOST_CONNECTIONS)
        close_all(silent)
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_one_that_asks_is_not_put_out_by_silent_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose request is being answered goes last."""
    monkeypatch.setattr(health, "PROBE_SECONDS", WITHIN)
    asked, answers = asyncio.Event(), asyncio.Event()

    async def ask() -> ProbeAnswer:
        asked.set()
        await answers.wait()
        return ProbeAnswer("healthy")

    async with served(Probe("slow", ask)) as client:
        assert client.base_url.port
        asking = asyncio.create_task(client.get("/health"))
        await asked.wait()
        silent = [await connect(client.base_url.port, HALF) for _ in range(2 * MOST_CONNECTIONS)]
        answers.set()
        assert (await asking).status_code == 200
        close_all(silent)


@pytest.mark.parametrize(
    "data", [b"", HALF, b"GET /livez HTTP/1.1\r\nX-Slow: 1\r\n"], ids=["nothing", "half a line", "headers"]
)
async def test_a_connection_without_a_complete_request_is_closed(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time counts from the connection, so a byte now and then does not extend it."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.05)
    async with served() as client:
        assert client.base_url.port
        assert await rest(await connect(client.base_url.port, data)) == b""


async def test_a_client_that_does_not_take_its_answer_is_put_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection would stay open for ever."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.2)
    size = 64_000_000
    async with served(status=lambda: {"page": "x" * size}) as client:
        assert client.base_url.port
        reader, writer = await connect(client.base_url.port, b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport can read

        async def is_put_out() -> bool:
            writer.write(b"x")
            return writer.transport.is_closing()

        await eventually(is_put_out)
        writer.transport.resume_reading()  # type: ignore[attr-defined] # a socket's transport can read
        assert len(await rest((reader, writer))) < size


async def test_a_connection_carries_one_request() -> None:
    """Neither idle connections nor pipelines cost anything."""
    async with served() as client:
        assert client.base_url.port
        answer = await rest(await connect(client.base_url.port, WHOLE * 3))

    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(
    "data",
    [
        b"GET /livez HTTP/1.1\r\nX-Long: " + b"a" * MOST_HEADER_BYTES,
        b"GET /" + b"a" * MOST_HEADER_BYTES,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
    ids=["a long header", "a long line", "TLS"],
)
async def test_a_request_that_is_too_long_or_nonsense_is_refused(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The log stays empty: otherwise clients could fill it."""
    async with served() as client:
        assert client.base_url.port
        answer = await rest(await connect(client.base_url.port, data))

    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert caplog.records == []


async def test_a_body_is_not_read() -> None:
    """The answer comes at once and ends the connection, however long the body may be."""
    head = b"POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n"
    async with served(Probe("a", always(ProbeAnswer("healthy")))) as client:
        assert client.base_url.port
        answer = await rest(await connect(client.base_url.port, head + b"x" * 1000))

    assert answer.startswith(b"HTTP/1.1 405")
