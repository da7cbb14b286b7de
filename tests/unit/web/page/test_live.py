"""One reader for all live pages."""

import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message

from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.web.page import live as of_page
from xnovu_poller.web.page.live import Live, LiveResponse


async def read(live: Live, events: int) -> list[str]:
    """Read as one client until it has this many events."""
    found: list[str] = []
    with live.counted():
        async for piece in live.stream():
            if piece.startswith("data:"):
                found.append(piece)
            if len(found) == events:
                break
    return found


async def test_many_clients_cost_one_read() -> None:
    """Each gets every line of the HTML; after the last has left, nothing is read."""
    made = 0

    async def make() -> str:
        nonlocal made
        made += 1
        return "<p>a</p>\n<p>b</p>"

    live = Live(make)

    found = await asyncio.gather(*(read(live, 1) for _ in range(100)))

    assert found == [["data: <p>a</p>\ndata: <p>b</p>\n\n"]] * 100
    assert made == 1
    assert live.clients == 0
    await asyncio.sleep(0)
    assert live._making is None


async def test_a_database_that_is_away_ends_no_stream() -> None:
    """The next look follows; so does it after a bug."""
    answers: list[str | Exception] = [StoreUnavailable("down"), ValueError("bug"), "<p>back</p>"]

    async def make() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    live = Live(make, every=0.001)

    assert await read(live, 1) == ["data: <p>back</p>\n\n"]


async def test_a_stop_ends_the_streams() -> None:
    """Otherwise a server would wait for those who look; nobody new gets in."""

    async def make() -> str:
        return "a"

    live = Live(make)
    reading = asyncio.create_task(read(live, 2))
    await asyncio.sleep(0)
    assert not live.is_full

    live.close()

    assert await reading == []
    assert live.is_full


async def test_the_number_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused, also of those that come at the same time; each that has left makes room."""
    monkeypatch.setattr(of_page, "MOST_CLIENTS", 3)
    leave = asyncio.Event()

    async def make() -> str:
        return "a"

    async def receive() -> Message:
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        await leave.wait()

    live = Live(make)
    clients = [asyncio.create_task(LiveResponse(live)({"type": "http"}, receive, send)) for _ in range(4)]
    [refused], others = await asyncio.wait(clients, return_when=asyncio.FIRST_COMPLETED)

    assert isinstance(refused.exception(), HTTPException)
    assert (live.clients, live.is_full) == (3, True)
    leave.set()
    await asyncio.gather(*others)
    assert (live.clients, live.is_full) == (0, False)
