import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from benchmarks.speed.sink import Sink
from tests.support.waiting import WITHIN

EVENT = '{{"name": "order-shipped", "transactionId":"{}"}}'


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    """Yield a running sink, in its own process."""
    made = Sink(tmp_path)
    made.start()
    yield made
    await made.stop()


@pytest.fixture
async def client(sink: Sink) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that keeps its connections."""
    async with httpx.AsyncClient(base_url=sink.url, trust_env=False, timeout=WITHIN) as made:
        yield made


async def test_it_answers_and_counts(sink: Sink, client: httpx.AsyncClient) -> None:
    """It answers triggers and bulk calls as Novu does, and anything else with a 201."""
    single = await client.post("/v1/events/trigger", content=EVENT.format("xn-1"))
    events = ", ".join(EVENT.format(f"xn-{number}") for number in (3, 2, 1))
    bulk = await client.post("/v1/events/trigger/bulk", content=f'{{"events": [{events}]}}')
    other = await client.post("/hook", content='{"job": "0000004", "text": "x"}')

    accepted = {"acknowledged": True, "status": "processed"}
    assert single.json() == {"data": {**accepted, "transactionId": "xn-1"}}
    assert bulk.json() == {"data": [{**accepted, "transactionId": f"xn-{number}"} for number in (3, 2, 1)]}
    assert {answer.status_code for answer in (single, bulk, other)} == {201}
    assert await sink.counts() == {"xn-1": 2, "xn-2": 1, "xn-3": 1, "0000004": 1}
    assert await sink.nameless() == 0


async def test_it_knows_the_time_of_each_arrival(sink: Sink, client: httpx.AsyncClient) -> None:
    """The machine's clock counts, a wait ends with the arrival, and a repeat does not count."""
    second = asyncio.ensure_future(sink.until(2))
    before = time.monotonic()
    for job in ("a", "a", "b"):
        await client.post("/", content=f'{{"job":"{job}"}}')
    after = time.monotonic()

    arrivals = await sink.arrivals()
    assert before < await sink.until(1) == arrivals["a"] < await second == arrivals["b"] < after


async def test_it_forgets_all_at_a_reset(sink: Sink, client: httpx.AsyncClient) -> None:
    """Bodies without an id are counted separately."""
    await client.post("/", content='{"job":"a"}')
    await sink.reset()
    await client.post("/", content="{}")

    assert await sink.counts() == {}
    assert await sink.nameless() == 1


async def test_requests_may_be_split_or_joined(sink: Sink) -> None:
    """TCP does that."""
    request = b'POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 11\r\n\r\n{"job":"%b"}'
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(sink.url).port)
    whole = request % b"a" + request % b"b"
    for piece in (whole[:20], whole[20:60], whole[60:]):
        writer.write(piece)
        await writer.drain()
        await sink.counts()
    assert await sink.until(2) > 0
    assert (await reader.readuntil(b"\r\n")) == b"HTTP/1.1 201 Created\r\n"
    writer.close()
    await writer.wait_closed()

    assert await sink.counts() == {"a": 1, "b": 1}


async def test_a_body_of_unknown_length_is_refused(client: httpx.AsyncClient) -> None:
    """A request must not be counted in part."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"job":"a"}'

    assert (await client.post("/", content=pieces())).status_code == 411
