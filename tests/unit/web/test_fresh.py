"""An answer is shared while it is fresh, and readers wait for their turn."""

import asyncio

import pytest

from xnovu_poller.web import fresh
from xnovu_poller.web.fresh import Fresh


def numbered() -> Fresh[int]:
    """Return answers that count how often they were made."""
    made: list[int] = []

    async def make() -> int:
        await asyncio.sleep(0)
        made.append(1)
        return len(made)

    return Fresh(make)


async def test_readers_at_the_same_time_share_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many health checks put no load on the database."""
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 3600.0)
    answers = numbered()

    assert await asyncio.gather(*(answers.read() for _ in range(5))) == [1] * 5


async def test_an_old_answer_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is never older than FRESH_SECONDS."""
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 0.0)
    answers = numbered()

    assert [await answers.read(), await answers.read()] == [1, 2]


async def test_a_reader_that_gives_up_does_not_block_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next reader makes the answer."""
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 3600.0)
    answers = numbered()
    first = asyncio.create_task(answers.read())
    await asyncio.sleep(0)
    first.cancel()

    assert await answers.read() == 1


async def test_readers_have_a_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients in a loop cannot occupy the event loop: each reader waits, also for an answer that is there."""
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 3600.0)
    monkeypatch.setattr(fresh, "PACE_SECONDS", 3600.0)
    answers = numbered()
    await answers.read()
    second = asyncio.create_task(answers.read())

    done, _ = await asyncio.wait([second], timeout=0.02)

    assert not done
    second.cancel()
