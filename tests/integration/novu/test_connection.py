"""An answer is read up to a bound, and never decompressed."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.tcp import accepting
from tests.support.wire import event, kind
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.dev.ports import LOOPBACK
from xnovu_poller.errors import NovuBlocked, NovuUnanswered
from xnovu_poller.lifecycle import Accepted, Outcome, Refused, Unknown
from xnovu_poller.novu import Novu

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

CALL = timedelta(seconds=10)
MEGABYTE = bytes(1_000_000)
UNKNOWN = (Unknown, NovuUnanswered)

OURS = b'{"data":{"acknowledged":true,"status":"processed","transactionId":"xn-1"}}'


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """Answer each request in this way; yield the address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b'"transactionId":')
            await answer(writer)
            await writer.drain()

    async with served(serve) as url:
        yield url


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[str]:
    """Serve each connection in this way until the test ends; yield the address."""
    open_ones: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await serve(reader, writer)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones[asyncio.create_task(work(reader, writer))] = writer

    async with accepting(accept) as port:
        yield f"http://{LOOPBACK}:{port}"
    # A connection may be on its way from the socket to `accept`, in a task of asyncio's own.
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()} - open_ones.keys()))
    for writer in open_ones.values():
        writer.transport.abort()
    await asyncio.gather(*open_ones)


async def trigger(url: str) -> Outcome:
    """Trigger an event."""
    novu = Novu(url, "key-1", CALL, Gate())
    try:
        return await novu.trigger(event())
    finally:
        await novu.aclose()


def head(status: str, *headers: str) -> bytes:
    """Return the head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


async def without_end(writer: asyncio.StreamWriter, start: bytes, part: bytes) -> None:
    """Write a start, and then a part again and again."""
    writer.write(start)
    while True:
        writer.write(part)
        await writer.drain()


async def _endless_body(writer: asyncio.StreamWriter) -> None:
    await without_end(writer, head("201 Created", "Content-Length: 8000000000"), MEGABYTE)


async def _endless_chunks(writer: asyncio.StreamWriter) -> None:
    await without_end(
        writer, head("201 Created", "Transfer-Encoding: chunked"), b"f4240\r\n" + MEGABYTE + b"\r\n"
    )


async def _endless_interim_answers(writer: asyncio.StreamWriter) -> None:
    await without_end(writer, b"", head("100 Continue") * 1000)


async def _endless_headers(writer: asyncio.StreamWriter) -> None:
    await without_end(writer, b"HTTP/1.1 201 Created\r\n", b"X: y\r\n" * 1000)


async def _endless_header(writer: asyncio.StreamWriter) -> None:
    await without_end(writer, b"HTTP/1.1 201 Created\r\nX: ", b"y" * 1000)


async def _bomb(writer: asyncio.StreamWriter) -> None:
    bomb = gzip.compress(bytes(500_000_000), 9)
    writer.write(head("201 Created", "Content-Encoding: gzip", f"Content-Length: {len(bomb)}") + bomb)


async def _compressed(writer: asyncio.StreamWriter) -> None:
    body = gzip.compress(OURS)
    writer.write(head("201 Created", "Content-Encoding: gzip", f"Content-Length: {len(body)}") + body)


async def _empty(writer: asyncio.StreamWriter) -> None:
    writer.write(head("201 Created", "Content-Length: 0"))


async def _no_content(writer: asyncio.StreamWriter) -> None:
    writer.write(head("204 No Content"))


async def _another_transaction(writer: asyncio.StreamWriter) -> None:
    body = OURS.replace(b"xn-1", b"xn-2")
    writer.write(head("200 OK", f"Content-Length: {len(body)}") + body)


@pytest.mark.parametrize(
    "answer",
    [
        _endless_body,
        _endless_chunks,
        _endless_interim_answers,
        _endless_headers,
        _endless_header,
        _bomb,
        _compressed,
        _empty,
        _no_content,
        _another_transaction,
    ],
    ids=lambda answer: answer.__name__,
)
async def test_an_answer_that_is_not_novus_is_unknown_and_costs_little(answer: Answer) -> None:
    """Neither the memory of this process nor its event loop suffers."""
    before = resident()
    async with serving(answer) as url:
        assert kind(await trigger(url)) == UNKNOWN
    assert resident() - before < 60_000_000


async def _page_without_end(writer: asyncio.StreamWriter) -> None:
    await without_end(writer, head("403 Forbidden", "Content-Length: 8000000000"), MEGABYTE)


async def _compressed_page(writer: asyncio.StreamWriter) -> None:
    body = gzip.compress(b"<html>")
    writer.write(head("403 Forbidden", "Content-Encoding: gzip", f"Content-Length: {len(body)}") + body)


@pytest.mark.parametrize("answer", [_page_without_end, _compressed_page], ids=lambda answer: answer.__name__)
async def test_a_refusal_keeps_its_status_whatever_its_page_is(answer: Answer) -> None:
    """The status is known before the page."""
    async with serving(answer) as url:
        assert kind(await trigger(url)) == (Refused, NovuBlocked)


async def test_a_few_interim_answers_are_passed_over() -> None:
    """A proxy may send some."""

    async def serve(writer: asyncio.StreamWriter) -> None:
        ours = head("201 Created", f"Content-Length: {len(OURS)}") + OURS
        writer.write(head("100 Continue") + head("103 Early Hints", "Link: </a>") + ours)

    async with serving(serve) as url:
        novu = Novu(url, "key-1", CALL, Gate())
        assert [await novu.trigger(event()) for _ in range(20)] == [Accepted()] * 20
        await novu.aclose()


async def test_cookies_are_neither_kept_nor_sent_back() -> None:
    """They would grow until a proxy answers 431."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            requests.append(await reader.readuntil(b'"transactionId":"xn-1"}'))
            cookie = f"Set-Cookie: a{len(requests)}={'x' * 4000}; Path=/"
            writer.write(head("201 Created", cookie, f"Content-Length: {len(OURS)}") + OURS)
            await writer.drain()

    async with served(serve) as url:
        novu = Novu(url, "key-1", CALL, Gate())
        assert [await novu.trigger(event()) for _ in range(5)] == [Accepted()] * 5
        await novu.aclose()
    assert len(requests) == 5
    assert not [request for request in requests if b"cookie" in request.lower()]


async def test_a_flood_ends_soon() -> None:
    """Not more of it is read than an answer may be, so that it cannot occupy the event loop."""
    written = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        while True:
            writer.write(head("100 Continue") * 1000)
            await writer.drain()
            written += 1000 * len(head("100 Continue"))

    async with serving(flood) as url:
        novu = Novu(url, "key-1", CALL, Gate())
        found = await asyncio.gather(*(novu.trigger(event(number)) for number in range(10)))
        await novu.aclose()
    assert not [outcome for outcome in found if isinstance(outcome, Accepted)]
    # The buffers of ten connections between the two ends are part of it.
    assert written < 10 * 20_000_000


def resident() -> int:
    """Return the resident size of this process in bytes."""
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024
