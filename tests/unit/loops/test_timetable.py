"""The timetable makes the calls that are entered."""

import asyncio
from datetime import timedelta

from tests.support.waiting import eventually
from xnovu_poller.loops.timetable import Timetable

HOUR = timedelta(hours=1)
SOON = timedelta(milliseconds=10)


class Calls:
    """Counts calls; each lasts until `go_on` is set."""

    def __init__(self) -> None:
        self.started = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def turn(self) -> None:
        """Count the call."""
        self.started += 1
        await self.go_on.wait()


async def test_the_first_turn_is_at_once() -> None:
    """A worker that starts finds the rows that are already due."""
    calls = Calls()
    timetable = Timetable()
    timetable.enter("new", calls.turn, HOUR)

    timetable.start()
    await eventually(lambda: calls.started)
    timetable.stop()

    assert calls.started == 1


async def test_it_calls_again_after_the_interval_also_while_a_turn_lasts() -> None:
    """The loop notes the second call and takes one more turn."""
    calls, long = Calls(), Calls()
    long.go_on.clear()
    timetable = Timetable()
    timetable.enter("new", calls.turn, SOON)
    timetable.enter("failed", long.turn, SOON)

    timetable.start()
    await eventually(lambda: calls.started > 5 and long.started == 2)
    long.go_on.set()
    timetable.stop()


async def test_a_stop_ends_the_calls_of_this_timetable_only() -> None:
    """Another timetable goes on."""
    stopped, going = Calls(), Calls()
    first, second = Timetable(), Timetable()
    first.enter("new", stopped.turn, SOON)
    first.start()
    await eventually(lambda: stopped.started)
    first.stop()

    second.enter("new", going.turn, SOON)
    second.start()
    await eventually(lambda: going.started)
    seen = stopped.started
    await eventually(lambda: going.started > 5)
    second.stop()

    assert stopped.started == seen
