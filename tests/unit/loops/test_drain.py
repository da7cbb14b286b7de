"""A loop's turns: never two at the same time, until nothing is left to do, and none after a stop."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tests.support.waiting import eventually
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.loops.drain import LONG_LOOK, Drain, rest_after

INTERVAL = timedelta(hours=2)
AT_ONCE = timedelta(0)


class Turns:
    """Takes scripted turns: each returns the next pause, or raises. After the script there is nothing to do."""

    name = "scripted"
    interval = INTERVAL

    def __init__(self, script: Sequence[timedelta | Exception] = ()) -> None:
        self.script = list(script)
        self.started = 0
        self.under_way = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def turn(self) -> timedelta:
        """Take one turn; it lasts until `go_on` is set."""
        self.started += 1
        self.under_way += 1
        assert self.under_way == 1
        await self.go_on.wait()
        self.under_way -= 1
        match self.script.pop(0) if self.script else self.interval:
            case Exception() as error:
                raise error
            case pause:
                return pause

    def stop(self) -> None:
        """Do nothing: no claim is handed off here."""


async def test_it_drains_until_a_turn_finds_nothing() -> None:
    """A pause of zero means another turn at once; the interval ends the drain."""
    turns = Turns([AT_ONCE, AT_ONCE])

    await Drain(turns).drain()

    assert turns.started == 3


async def test_calls_during_a_turn_lead_to_exactly_one_more_turn() -> None:
    """A row that came due during a turn does not wait for the next interval, and two turns never overlap."""
    turns = Turns()
    turns.go_on.clear()
    drain = Drain(turns)
    first = asyncio.create_task(drain.drain())
    await eventually(lambda: turns.started)

    await asyncio.gather(drain.drain(), drain.drain())
    assert (turns.started, drain.status()["turning"]) == (1, True)
    turns.go_on.set()
    await first

    assert (turns.started, drain.status()["turning"]) == (2, False)


def test_a_long_look_for_nothing_is_followed_by_a_rest() -> None:
    """Wake-ups must not fill a core with looks, as where thousands of enterprises have only paused rows."""
    assert rest_after(LONG_LOOK) == AT_ONCE
    assert rest_after(timedelta(seconds=0.3)) == timedelta(seconds=0.9)
    assert rest_after(timedelta(minutes=1)) == timedelta(seconds=1)


async def test_a_call_waits_for_the_end_of_the_rest_and_a_stop_ends_it() -> None:
    """The look that the call asks for would come after the rest."""
    turns = Turns()
    drain = Drain(turns, rest=lambda _look: timedelta(hours=1))
    resting = asyncio.create_task(drain.drain())
    await eventually(lambda: drain.status()["turns"])

    await drain.drain()
    assert not resting.done()
    await drain.stop()
    await resting

    assert turns.started == 1


async def test_a_stop_lets_the_turn_end_and_begins_no_other() -> None:
    """This is so even when more is left to do."""
    turns = Turns([AT_ONCE, AT_ONCE])
    turns.go_on.clear()
    drain = Drain(turns)
    draining = asyncio.create_task(drain.drain())
    await eventually(lambda: turns.started)

    stopping = asyncio.create_task(drain.stop())
    assert not stopping.done()
    turns.go_on.set()
    await asyncio.gather(stopping, draining)
    await drain.drain()

    assert turns.started == 1


async def test_a_stop_ends_a_pause() -> None:
    """While the gate is closed, a pause may last minutes."""
    turns = Turns([timedelta(hours=1)])
    drain = Drain(turns)
    draining = asyncio.create_task(drain.drain())
    await eventually(lambda: drain.status()["turns"])

    await drain.stop()
    await draining

    assert turns.started == 1


async def test_status_shows_an_error_and_the_next_call_turns_again() -> None:
    """A server that is down for a moment stops no loop."""
    turns = Turns([StoreUnavailable("hung up")])
    drain = Drain(turns)

    await drain.drain()
    failed = drain.status()
    await drain.drain()
    succeeded = drain.status()

    assert (failed["turns"], failed["last_turn_at"], failed["last_error"]) == (0, None, "store_unavailable")
    assert (succeeded["turns"], succeeded["last_error"]) == (1, None)
    assert datetime.fromisoformat(str(succeeded["last_turn_at"])) <= datetime.now(UTC)
    assert (succeeded["lag_seconds"], succeeded["interval_seconds"]) == (0, drain.interval.total_seconds())


async def test_a_bug_in_a_turn_stays_in_its_loop() -> None:
    """The caller that woke the loop goes on, and /status names the bug."""
    drain = Drain(Turns([ZeroDivisionError("secret")]))

    await drain.drain()

    assert drain.bug == "ZeroDivisionError"
    assert drain.status()["last_error"] == "ZeroDivisionError"


async def test_a_loop_lags_until_a_turn_succeeds() -> None:
    """A turn that fails does not count, and a loop that waits for its interval is on time."""
    turns = Turns([StoreUnavailable("hung up")])
    turns.interval = timedelta(0)
    drain = Drain(turns)

    await drain.drain()
    lag = drain.lag
    assert lag > timedelta(0)

    turns.interval = INTERVAL
    await drain.drain()
    assert drain.lag == timedelta(0)
