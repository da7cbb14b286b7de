"""The keeper ensures the chores' schedule, requests runs, and survives an absent Temporal."""

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
    """A schedule whose calls succeed or fail as scripted: one entry per call, None for success."""

    def __init__(self, script: Sequence[Exception | None] = ()) -> None:
        self.script = list(script)
        self.calls: list[str] = []
        self.requested_at: list[float] = []
        self.is_missing = False

    async def ensure(self) -> bool:
        """Record the call; return whether the schedule was missing."""
        self._called(ENSURE)
        missing, self.is_missing = self.is_missing, False
        return missing

    async def request_run(self) -> None:
        """Record the call and its time."""
        self._called(REQUEST)
        self.requested_at.append(time.monotonic())

    def _called(self, name: str) -> None:
        self.calls.append(name)
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pause between two requests."""
    monkeypatch.setattr(keeper, "REQUEST_PAUSE", timedelta(seconds=0.05))


@asynccontextmanager
async def keeping(
    schedule: Schedule, *, every: timedelta = keeper.ENSURED_EVERY
) -> AsyncIterator[ChoreKeeper]:
    """Run a keeper."""
    made = ChoreKeeper(schedule, every=every, first_pause=AT_ONCE)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_the_schedule_is_ensured_and_then_a_run_requested() -> None:
    """A worker that starts applies the changes made while none ran."""
    schedule = Schedule()
    async with keeping(schedule) as chore_keeper:
        await eventually(lambda: len(schedule.calls) == 2)

        assert schedule.calls == [ENSURE, REQUEST]
        assert chore_keeper.fault is None


async def test_many_changes_within_a_moment_make_two_requests() -> None:
    """One follows the other, because the first may have joined a run that had already read the rules."""
    schedule = Schedule()
    async with keeping(schedule) as chore_keeper:
        await eventually(lambda: len(schedule.calls) == 2)
        for _ in range(100):
            chore_keeper.request_run()
        await eventually(lambda: len(schedule.calls) == 4)
        chore_keeper.request_run()
        chore_keeper.request_run()
        await eventually(lambda: len(schedule.calls) == 6)

        assert schedule.calls == [ENSURE, *[REQUEST] * 5]
        assert not chore_keeper._requested.is_set()


@pytest.mark.parametrize("error", [AWAY, REFUSED], ids=["away", "refused"])
async def test_the_keeper_tries_until_temporal_accepts(error: TemporalError) -> None:
    """The fault is logged once, and its end once; meanwhile /health has the reason."""
    schedule = Schedule([error] * 4)
    with logged_in_full() as written:
        async with keeping(schedule) as chore_keeper:
            await eventually(lambda: chore_keeper.fault)
            assert chore_keeper.fault == str(error)

            await eventually(lambda: chore_keeper.fault is None)

            assert schedule.calls[:6] == [ENSURE] * 5 + [REQUEST]
    assert written.getvalue().count("chores not scheduled") == 1
    assert written.getvalue().count("chores scheduled") == 1


async def test_the_pauses_grow_while_requests_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers of rules must not keep all workers busy; a pause without a request resets the pauses."""
    monkeypatch.setattr(keeper, "REQUEST_PAUSE", timedelta(seconds=0.01))
    monkeypatch.setattr(keeper, "LONGEST_REQUEST_PAUSE", timedelta(seconds=0.08))
    schedule = Schedule()
    async with keeping(schedule) as chore_keeper:

        def has_requested(count: int) -> bool:
            chore_keeper.request_run()
            return len(schedule.requested_at) >= count

        await eventually(lambda: has_requested(6))
        gaps = [after - before for before, after in pairwise(schedule.requested_at)]
        assert all(gap > pause for gap, pause in zip(gaps, (0.009, 0.019, 0.039, 0.079, 0.079), strict=False))

        await eventually(lambda: chore_keeper._request_backoff.next() <= 2 * keeper.REQUEST_PAUSE)
        assert not chore_keeper._requested.is_set()


async def test_a_bug_is_a_fault_that_the_keeper_survives() -> None:
    """Only its name is logged, because its message may quote a payload."""
    schedule = Schedule([ValueError("value-marker")] * 4)
    with logged_in_full() as written:
        async with keeping(schedule) as chore_keeper:
            await eventually(lambda: chore_keeper.fault == "a bug: ValueError")
            await eventually(lambda: chore_keeper.fault is None)

            assert schedule.calls[:6] == [ENSURE] * 5 + [REQUEST]
    assert written.getvalue().count("a bug: ValueError") == 1
    assert "value-marker" not in written.getvalue()


async def test_a_refused_request_is_repeated_after_an_ensure() -> None:
    """A person may have deleted the schedule."""
    schedule = Schedule([None, None, REFUSED])
    async with keeping(schedule) as chore_keeper:
        await eventually(lambda: len(schedule.calls) == 2)
        chore_keeper.request_run()

        await eventually(lambda: len(schedule.calls) == 6)

        assert schedule.calls == [ENSURE, REQUEST, REQUEST, ENSURE, REQUEST, REQUEST]


async def test_the_schedule_is_ensured_again_in_each_interval() -> None:
    """A deletion is not reported. While the schedule exists, no run is requested."""
    schedule = Schedule()
    async with keeping(schedule, every=AT_ONCE):
        await eventually(lambda: schedule.calls.count(ENSURE) > 2)

        assert schedule.calls.count(REQUEST) == 1


async def test_a_missing_schedule_requests_a_run() -> None:
    """The schedules of the rules may be missing too, as after Temporal has lost its history."""
    schedule = Schedule()
    async with keeping(schedule, every=AT_ONCE):
        await eventually(lambda: schedule.calls.count(ENSURE) > 2)
        schedule.is_missing = True

        await eventually(lambda: schedule.calls.count(REQUEST) == 2)
