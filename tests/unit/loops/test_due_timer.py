"""The alarm rings when the nearest set time has come, and for nothing else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from tests.support.logs import logged_in_full
from tests.support.waiting import eventually
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.loops import due_timer as module
from xnovu_poller.loops.due_timer import DueTimer

HOUR = timedelta(hours=1)
SOON = timedelta(milliseconds=20)
AWAY = StoreUnavailable("Connection refused")

Answer = timedelta | Exception | None


class Times:
    """Answers as scripted, the last answer again and again; counts looks and rings."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.looks = 0
        self.rings = 0

    async def next_due(self) -> timedelta | None:
        """Say how far ahead the nearest set time is."""
        self.looks += 1
        match self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]:
            case Exception() as error:
                raise error
            case ahead:
                return ahead

    async def ring(self) -> None:
        """Count."""
        self.rings += 1


@asynccontextmanager
async def set_by(times: Times) -> AsyncIterator[DueTimer]:
    """Run an alarm."""
    made = DueTimer(times.next_due, times.ring)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def seen(times: Times, looks: int) -> None:
    """Wait for so many looks."""
    await eventually(lambda: times.looks >= looks)


async def test_what_came_due_before_the_first_look_is_rung_for() -> None:
    """Nobody else may have seen it pass."""
    times = Times([None])
    async with set_by(times) as alarm:
        await eventually(lambda: times.rings)

        assert (times.looks, times.rings) == (1, 1)
        assert alarm.status() == {"next_due_in_seconds": None}


async def test_it_rings_when_the_time_has_come_and_looks_for_the_next() -> None:
    """The look comes first: what passes between it and the ring is claimed by the ring."""
    times = Times([SOON, SOON, None])
    async with set_by(times):
        await eventually(lambda: times.rings == 3)

        assert times.looks == 3


async def test_it_rings_neither_before_the_time_nor_for_what_has_passed() -> None:
    """A due row that cannot be claimed is the loop's business: no look tells of it."""
    times = Times([SOON, HOUR])
    async with set_by(times) as alarm:
        for looks in range(2, 5):
            await seen(times, looks)
            alarm.look()

        assert times.rings == 2
        told = alarm.status()["next_due_in_seconds"]
        assert told is not None
        assert 3500 < told <= 3600


async def test_a_time_that_is_moved_nearer_is_kept() -> None:
    """Whoever is told that something was set looks again."""
    times = Times([HOUR, SOON, None])
    async with set_by(times) as alarm:
        await eventually(lambda: times.rings)
        alarm.look()

        await eventually(lambda: times.rings == 2)


async def test_a_time_that_passes_while_it_looks_is_rung_for() -> None:
    """The answer tells of the future alone, and the row is no longer in it."""
    times = Times([SOON, HOUR])
    async with set_by(times) as alarm:
        alarm.look()

        await eventually(lambda: times.rings == 2)


async def test_many_words_are_few_looks() -> None:
    """A producer that sets a thousand times makes the alarm ask once."""
    times = Times([HOUR])
    async with set_by(times) as alarm:
        await eventually(lambda: times.looks)
        for _ in range(1000):
            alarm.look()
            await asyncio.sleep(0)
        await eventually(lambda: times.looks == 2)

        assert not alarm._asked.is_set()


async def test_without_word_it_looks_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for next week was told to nobody."""
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.01)
    times = Times([HOUR])
    async with set_by(times):
        await eventually(lambda: times.looks > 2)

        assert times.rings == 1


async def test_a_bug_in_a_look_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told once and by its name alone; what may have passed is rung for behind it."""
    monkeypatch.setattr(module, "BLIND_SECONDS", 0.0)
    bug = ValueError("value-marker")
    times = Times([SOON, bug, bug, HOUR])
    with logged_in_full() as written:
        async with set_by(times):
            await eventually(lambda: times.rings == 2)

            assert times.looks == 4
    assert written.getvalue().count('"bug": "ValueError"') == 1
    assert "value-marker" not in written.getvalue()


async def test_it_sees_again_and_rings_for_what_may_have_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database was away; that is told once."""
    monkeypatch.setattr(module, "BLIND_SECONDS", 0.0)
    times = Times([HOUR, AWAY, AWAY, HOUR])
    with logged_in_full() as written:
        async with set_by(times) as alarm:
            await eventually(lambda: times.rings)
            alarm.look()
            await eventually(lambda: times.looks == 3)
            assert alarm.status() == {"next_due_in_seconds": None}

            await eventually(lambda: times.rings == 2)

            assert times.looks == 4
    assert written.getvalue().count("due timer is blind") == 1
