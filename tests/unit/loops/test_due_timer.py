"""The timer fires when the nearest set time has come, and for nothing else."""

import asyncio
import time
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
    """Returns scripted answers, the last of them again and again; counts looks and firings."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.looks = 0
        self.firings = 0

    async def time_to_next_due(self) -> timedelta | None:
        """Return how far ahead the nearest set time is."""
        self.looks += 1
        match self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]:
            case Exception() as error:
                raise error
            case ahead:
                return ahead

    async def fire(self) -> None:
        """Count a firing."""
        self.firings += 1


@asynccontextmanager
async def running_timer(times: Times) -> AsyncIterator[DueTimer]:
    """Run a timer."""
    made = DueTimer(times.time_to_next_due, times.fire)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def wait_for_looks(times: Times, looks: int) -> None:
    """Wait for this many looks."""
    await eventually(lambda: times.looks >= looks)


async def test_it_fires_for_rows_that_came_due_before_its_first_look() -> None:
    """Nothing else may have noticed them."""
    times = Times([None])
    async with running_timer(times) as timer:
        await eventually(lambda: times.firings)

        assert (times.looks, times.firings) == (1, 1)
        assert timer.status() == {"next_due_in_seconds": None}


async def test_it_fires_when_the_time_has_come_and_looks_for_the_next() -> None:
    """It looks first and then fires, so that the turn claims the rows that came due in between."""
    times = Times([SOON, SOON, None])
    async with running_timer(times):
        await eventually(lambda: times.firings == 3)

        assert times.looks == 3


async def test_it_fires_neither_early_nor_twice_for_the_same_time() -> None:
    """A due row that cannot be claimed is the loop's business; no look reports it."""
    times = Times([SOON, HOUR])
    async with running_timer(times) as timer:
        for looks in range(2, 5):
            await wait_for_looks(times, looks)
            timer.look()

        assert times.firings == 2
        ahead = timer.status()["next_due_in_seconds"]
        assert ahead is not None
        assert 3500 < ahead <= 3600


async def test_it_fires_earlier_when_a_nearer_time_is_set() -> None:
    """The database notifies of a new time, and the timer looks again."""
    times = Times([HOUR, SOON, None])
    async with running_timer(times) as timer:
        await eventually(lambda: times.firings)
        timer.look()

        await eventually(lambda: times.firings == 2)


async def test_it_fires_for_a_time_that_passes_during_a_look() -> None:
    """The answer covers only the future, and the row is no longer in it."""
    times = Times([SOON, HOUR])
    async with running_timer(times) as timer:
        timer.look()

        await eventually(lambda: times.firings == 2)


async def test_a_thousand_requests_lead_to_one_look() -> None:
    """A producer that sets a thousand times makes the timer query once."""
    times = Times([HOUR])
    async with running_timer(times) as timer:
        await eventually(lambda: times.looks)
        began = time.monotonic()
        for _ in range(1000):
            timer.look()
            await asyncio.sleep(0)
        took = time.monotonic() - began
        await eventually(lambda: not timer._asked.is_set())

        # On a machine that pauses, the requests take longer than the timer waits between two looks.
        assert 2 <= times.looks <= 2 + took / module.LEAST_SECONDS


async def test_it_looks_again_after_a_while_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database does not notify of a row that is due next week."""
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.01)
    times = Times([HOUR])
    async with running_timer(times):
        await eventually(lambda: times.looks > 2)

        assert times.firings == 1


async def test_a_bug_in_a_look_does_not_end_the_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged once, by its type only, and the timer fires for the times that may have passed meanwhile."""
    monkeypatch.setattr(module, "BLIND_SECONDS", 0.0)
    bug = ValueError("value-marker")
    times = Times([SOON, bug, bug, HOUR])
    with logged_in_full() as written:
        async with running_timer(times):
            await eventually(lambda: times.firings == 2)

            assert times.looks == 4
    assert written.getvalue().count('"bug": "ValueError"') == 1
    assert "value-marker" not in written.getvalue()


async def test_after_an_outage_it_fires_for_times_that_may_have_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An outage of the database is logged once."""
    monkeypatch.setattr(module, "BLIND_SECONDS", 0.0)
    times = Times([HOUR, AWAY, AWAY, HOUR])
    with logged_in_full() as written:
        async with running_timer(times) as timer:
            await eventually(lambda: times.firings)
            timer.look()
            await eventually(lambda: times.looks == 3)
            assert timer.status() == {"next_due_in_seconds": None}

            await eventually(lambda: times.firings == 2)

            assert times.looks == 4
    assert written.getvalue().count("due timer is blind") == 1
