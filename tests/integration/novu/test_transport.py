"""Errors of the connection show whether Novu can have received the call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.support.ports import closed_port
from tests.support.tcp import accepting
from tests.support.waiting import WITHIN
from xnovu_poller.dev.ports import LOOPBACK
from xnovu_poller.novu.client import NEVER_SENT
from xnovu_poller.novu.transport import NotConnected, Wire

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[str]:
    """Serve with this kind of failure."""

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async with accepting(closing) as port:
        yield f"http://{LOOPBACK}:{port}"


async def call(url: str, *, patience: float = WITHIN) -> httpx.Response:
    """Make a call that waits this long for each part of the answer."""
    limits = httpx.Timeout(WITHIN, read=patience)
    async with httpx.AsyncClient(transport=Wire(2, 4.0), timeout=limits) as client:
        return await client.post(f"{url}/v1/a%2Fb", content=b"{}", headers={"X-One": "1"})


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read a request to its end."""
    return await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2)


async def test_a_call_arrives_as_it_was_written() -> None:
    """Path, headers and body reach the server, and its whole answer comes back."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async with served(serve) as url:
        answer = await call(url)

    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/a%2Fb HTTP/1.1")
    assert b"x-one: 1" in head.lower()
    assert body == b"{}"
    assert (answer.status_code, answer.headers["Location"], answer.content) == (302, "/x", b"ok")


async def test_a_refused_connection_was_never_sent() -> None:
    """Nobody listens at the port."""
    with closed_port() as port, pytest.raises(httpx.ConnectError) as caught:
        await call(f"http://{LOOPBACK}:{port}")
    assert isinstance(caught.value, NEVER_SENT)


async def test_a_handshake_that_fails_was_never_sent() -> None:
    """The server does not speak TLS."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with served(serve) as url:
        with pytest.raises(NEVER_SENT):
            await call(url.replace("http", "https"))


async def _hangs_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await read_request(reader)


async def _resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.transport.abort()


async def _does_not_answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await reader.read()


async def _breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


async def _speaks_another_protocol(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"220 smtp ready\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    "serve",
    [_hangs_up, _resets, _does_not_answer, _breaks_off, _speaks_another_protocol],
    ids=lambda s: s.__name__,
)
async def test_a_call_that_was_written_may_have_been_received(serve: Serve) -> None:
    """No later failure counts as never sent."""
    async with served(serve) as url:
        with pytest.raises(httpx.TransportError) as caught:
            await call(url, patience=3)
    assert not isinstance(caught.value, NEVER_SENT)


async def test_a_netrc_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A default password there neither replaces Novu's key nor fails the call."""
    (tmp_path / "netrc").write_text("default login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with served(serve) as url:
        assert (await call(url)).status_code == 201
    assert b"authorization: basic" not in requests[0].lower()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""], ids=["with scheme", "without"])
async def test_the_environments_proxy_is_used(
    monkeypatch: pytest.MonkeyPatch, name: str, scheme: str
) -> None:
    """If the proxy refuses to connect us, it has not passed anything on."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with served(serve) as url:
        monkeypatch.setenv(name, url.replace("http://", scheme))
        with pytest.raises(
            NotConnected, match="the proxy of this environment answers 403; check HTTPS_PROXY"
        ):
            await call("https://novu.invalid")
