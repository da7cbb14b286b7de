"""A look asks a server now and then, and its reader never waits for long."""

import asyncio
from datetime import timedelta

import pytest

from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.service import looks
from xnovu_poller.service.looks import Look

HOUR = timedelta(hours=1)


async def test_readers_share_a_question_and_its_answer() -> None:
    """Until the time is over, nobody asks again, however many read."""
    asked: list[int] = []

    async def ask() -> int:
        asked.append(1)
        return len(asked)

    kept, always = Look(ask, HOUR), Look(ask, timedelta(0))

    assert await asyncio.gather(*(kept.read() for _ in range(3))) == [1, 1, 1]
    assert (await kept.read(), await always.read(), await always.read()) == (1, 2, 3)


@pytest.mark.parametrize("error", [StoreUnavailable("hung up"), ZeroDivisionError("hush")])
async def test_an_error_is_no_answer(error: Exception) -> None:
    """A page shows what the other servers know."""

    async def ask() -> int:
        raise error

    assert await Look(ask, HOUR).read() is None


async def test_a_silent_server_is_not_asked_again_while_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the questions would pile up on its connections; its late answer counts."""
    monkeypatch.setattr(looks, "PROBE_SECONDS", 0.01)
    answers = asyncio.Event()
    asked: list[int] = []

    async def ask() -> int:
        asked.append(1)
        await answers.wait()
        return 7

    look = Look(ask, timedelta(0))
    assert (await look.read(), await look.read()) == (None, None)
    assert len(asked) == 1
    monkeypatch.undo()
    answers.set()
    assert await look.read() == 7
