"""The keeper_ ensures the orchestration, rings for it, and lives through Temporal's absence."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.support.logs import logged_in_full
from tests.support.waiting import eventually
from xnovu_poller.errors import TemporalError, TemporalRefused, TemporalUnavailable
from xnovu_poller.temporal.chores import keeper
from xnovu_poller.temporal.chores.keeper import ChoreKeeper

AWAY = TemporalUnavailable("UNAVAILABLE")
REFUSED = TemporalRefused("PERMISSION_DENIED")
AT_ONCE = timedelta(milliseconds=1)

ENSURE, REQUEST = "ensure", "request"


class Schedule:
    """Stands in Temporal, or fails as scripted: one entry for each call, None where it goes well."""

    def __init__(self, script: Sequence[Exception | None] = ()) -> None:
        self.script = list(script)
        self.calls: list[str] = []
        self.requested_at: list[float] = []

    async def ensure(self) -> None:
        """Be made."""
        self._called(ENSURE)

    async def request_run(self) -> None:
        """Begin a run."""
        self._called(REQUEST)
        self.requested_at.append(time.monotonic())

    def _called(self, name: str) -> None:
        self.calls.append(name)
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second between two rings is long for a test."""
    monkeypatch.setattr(keeper, "REQUEST_PAUSE", timedelta(seconds=0.05))


@asynccontextmanager
async def conducting(schedule: Schedule) -> AsyncIterator[ChoreKeeper]:
    """Run a keeper_."""
    made = ChoreKeeper(schedule, first_pause=AT_ONCE)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_it_is_ensured_and_then_rung_for() -> None:
    """A worker that starts finds what changed while none ran."""
    schedule = Schedule()
    async with conducting(schedule) as keeper_:
        await eventually(lambda: len(schedule.calls) == 2)

        assert schedule.calls == [ENSURE, REQUEST]
        assert keeper_.fault is None


async def test_many_changes_within_a_moment_are_two_rings() -> None:
    """One at once, and one behind it: the first may have met a run that had read the rules already."""
    schedule = Schedule()
    async with conducting(schedule) as keeper_:
        await eventually(lambda: len(schedule.calls) == 2)
        for _ in range(100):
            keeper_.request_run()
        await eventually(lambda: len(schedule.calls) == 4)
        keeper_.request_run()
        keeper_.request_run()
        await eventually(lambda: len(schedule.calls) == 6)

        assert schedule.calls == [ENSURE, *[REQUEST] * 5]
        assert not keeper_._requested.is_set()


@pytest.mark.parametrize("error", [AWAY, REFUSED], ids=["away", "refused"])
async def test_it_tries_until_temporal_will_have_it(error: TemporalError) -> None:
    """Told once, and once that it is over; meanwhile /health can say why."""
    schedule = Schedule([error] * 4)
    with logged_in_full() as written:
        async with conducting(schedule) as keeper_:
            await eventually(lambda: keeper_.fault)
            assert keeper_.fault == str(error)

            await eventually(lambda: keeper_.fault is None)

            assert schedule.calls[:6] == [ENSURE] * 5 + [REQUEST]
    assert written.getvalue().count("chores not scheduled") == 1
    assert written.getvalue().count("chores scheduled") == 1


async def test_while_rings_keep_coming_the_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write a rule is not to keep all at work; after a pause without a ring all is as at first."""
    monkeypatch.setattr(keeper, "REQUEST_PAUSE", timedelta(seconds=0.01))
    monkeypatch.setattr(keeper, "LONGEST_REQUEST_PAUSE", timedelta(seconds=0.08))
    schedule = Schedule()
    async with conducting(schedule) as keeper_:

        def ringing(count: int) -> bool:
            keeper_.request_run()
            return len(schedule.requested_at) >= count

        await eventually(lambda: ringing(6))
        gaps = [after - before for before, after in pairwise(schedule.requested_at)]
        assert all(gap > pause for gap, pause in zip(gaps, (0.009, 0.019, 0.039, 0.079, 0.079), strict=False))

        await eventually(lambda: keeper_._request_backoff.next() <= 2 * keeper.REQUEST_PAUSE)
        assert not keeper_._requested.is_set()


async def test_a_bug_is_a_fault_and_not_the_end() -> None:
    """Told by its name alone: its message may quote what it stumbled over."""
    schedule = Schedule([ValueError("value-marker")] * 4)
    with logged_in_full() as written:
        async with conducting(schedule) as keeper_:
            await eventually(lambda: keeper_.fault == "a bug: ValueError")
            await eventually(lambda: keeper_.fault is None)

            assert schedule.calls[:6] == [ENSURE] * 5 + [REQUEST]
    assert written.getvalue().count("a bug: ValueError") == 1
    assert "value-marker" not in written.getvalue()


async def test_a_ring_that_is_not_heard_is_repeated_behind_an_ensure() -> None:
    """Somebody may have deleted it."""
    schedule = Schedule([None, None, REFUSED])
    async with conducting(schedule) as keeper_:
        await eventually(lambda: len(schedule.calls) == 2)
        keeper_.request_run()

        await eventually(lambda: len(schedule.calls) == 6)

        assert schedule.calls == [ENSURE, REQUEST, REQUEST, ENSURE, REQUEST, REQUEST]


async def test_it_is_ensured_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody says when it is deleted; a run is not called for."""
    monkeypatch.setattr(keeper, "ENSURED_EVERY", AT_ONCE)
    schedule = Schedule()
    async with conducting(schedule):
        await eventually(lambda: schedule.calls.count(ENSURE) > 2)

        assert schedule.calls.count(REQUEST) == 1
