"""The timetable calls what is entered."""

import asyncio
from datetime import timedelta

from tests.support.waiting import eventually
from xnovu_poller.loops.timetable import Timetable

HOUR = timedelta(hours=1)
SOON = timedelta(milliseconds=10)


class Calls:
    """Counts its calls; each lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def turn(self) -> None:
        """Count."""
        self.begun += 1
        await self.go_on.wait()


async def test_the_first_turn_is_at_once() -> None:
    """A worker that starts finds what is due already."""
    calls = Calls()
    timetable = Timetable()
    timetable.enter("new", calls.turn, HOUR)

    timetable.start()
    await eventually(lambda: calls.begun)
    timetable.stop()

    assert calls.begun == 1


async def test_it_calls_again_after_the_interval_also_while_a_turn_lasts() -> None:
    """The second call tells the loop to turn once more."""
    calls, long = Calls(), Calls()
    long.go_on.clear()
    timetable = Timetable()
    timetable.enter("new", calls.turn, SOON)
    timetable.enter("failed", long.turn, SOON)

    timetable.start()
    await eventually(lambda: calls.begun > 5 and long.begun == 2)
    long.go_on.set()
    timetable.stop()


async def test_a_stop_ends_the_calls() -> None:
    """Nothing is called any more while another timetable goes on."""
    stopped, going = Calls(), Calls()
    first, second = Timetable(), Timetable()
    first.enter("new", stopped.turn, SOON)
    first.start()
    await eventually(lambda: stopped.begun)
    first.stop()

    second.enter("new", going.turn, SOON)
    second.start()
    await eventually(lambda: going.begun)
    seen = stopped.begun
    await eventually(lambda: going.begun > 5)
    second.stop()

    assert stopped.begun == seen
