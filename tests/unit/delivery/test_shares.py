"""Each enterprise gets its share of the event loop; the clocks are the test's own."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from xnovu_poller.delivery import shares as module
from xnovu_poller.delivery.shares import BURST, LIGHT, LONGEST_WAIT, SHARE, SLICE, Shares
from xnovu_poller.errors import Unfinished


class Clocks:
    """Time that passes only by work and by waiting."""

    def __init__(self) -> None:
        self.at = 0.0
        self.used = 0.0
        self.shares = Shares(lambda: self.at, lambda: self.used)

    def working(self, seconds: float) -> Callable[[], str]:
        """Return a piece of work that takes this long."""

        def work() -> str:
            self.at += seconds
            self.used += seconds
            return "done"

        return work

    async def do(self, enterprise: str, seconds: float) -> str:
        """Do a piece of work of this length."""
        return await self.shares.do(enterprise, self.working(seconds))

    async def exhaust(self, enterprise: str, seconds: float = 0.02) -> timedelta:
        """Do heavy work until the enterprise is put off; return for how long."""
        for _ in range(1000):
            try:
                await self.do(enterprise, seconds)
            except Unfinished as error:
                return error.pause
        pytest.fail("it is never put off")


async def test_heavy_work_is_put_off_after_a_burst() -> None:
    """The burst is real time; then the enterprise waits."""
    clocks = Clocks()
    await clocks.exhaust("acme")
    assert BURST <= clocks.used <= 2 * BURST


async def test_others_are_not_put_off() -> None:
    """Each enterprise has its own share."""
    clocks = Clocks()
    await clocks.exhaust("acme")
    assert await clocks.do("globex", 0.02) == "done"


async def test_an_enterprise_is_in_debt_until_its_heavy_work_is_paid_for() -> None:
    """Groups are parted by this."""
    clocks = Clocks()
    assert not clocks.shares.is_indebted("acme")
    await clocks.do("acme", LIGHT * 0.9)
    assert not clocks.shares.is_indebted("acme")
    await clocks.do("acme", 0.02)
    assert clocks.shares.is_indebted("acme")
    clocks.at += 0.02 / SHARE
    assert not clocks.shares.is_indebted("acme")


async def test_a_busy_machine_makes_heavy_work_dearer_and_no_work_heavy() -> None:
    """The others wait for as long as it takes, but a light piece stays light."""
    clocks = Clocks()

    def wait() -> None:
        clocks.at += 2 * BURST

    for _ in range(10):
        await clocks.shares.do("acme", wait)
    await clocks.do("acme", LIGHT * 1.1)
    assert clocks.shares.is_indebted("acme")
    assert await clocks.do("acme", 0) == "done"


async def test_light_work_is_never_put_off() -> None:
    """However much of it there is: others have their turns in between."""
    clocks = Clocks()
    for _ in range(10_000):
        await clocks.do("acme", LIGHT * 0.9)


async def test_after_its_wait_an_enterprise_goes_on() -> None:
    """In the long run it gets its share of the time."""
    clocks = Clocks()
    for _ in range(100):
        clocks.at += (await clocks.exhaust("acme")).total_seconds()
    assert SHARE * 0.7 < (clocks.used - BURST) / clocks.at < SHARE * 1.3


async def test_those_that_are_put_off_come_back_apart() -> None:
    """Otherwise all would come back at once, and all but a few would be put off again."""
    clocks = Clocks()
    await clocks.exhaust("acme")
    waits = [(await clocks.exhaust("acme")).total_seconds() for _ in range(20)]
    assert all(later - before == pytest.approx(0.02 / SHARE, rel=0.05) for before, later in pairwise(waits))


async def test_nothing_is_put_off_for_long() -> None:
    """Its run in Temporal waits meanwhile."""
    clocks = Clocks()
    waits = [await clocks.exhaust("acme", 0.1) for _ in range(1000)]
    assert max(waits) == timedelta(seconds=LONGEST_WAIT)


async def test_work_that_fails_counts() -> None:
    """A template that is refused has taken its time too."""
    clocks = Clocks()

    def fail() -> None:
        clocks.working(2 * BURST)()
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        await clocks.shares.do("acme", fail)
    with pytest.raises(Unfinished):
        await clocks.do("acme", 0)


async def test_everything_else_has_its_turn_between_two_slices() -> None:
    """Those who wait for a slice get them in turn, one in each round of the loop."""
    clocks = Clocks()
    rounds = 0
    at_rounds: list[int] = []

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    async def prepare(name: str) -> None:
        for _ in range(10):
            await clocks.do(name, SLICE * 1.1)
            at_rounds.append(rounds)

    counting = asyncio.create_task(count())
    await asyncio.gather(*(prepare(name) for name in ("acme", "globex", "initech")))
    counting.cancel()

    # Only the first slices may share a round.
    assert max(at_rounds.count(number) for number in at_rounds[3:]) == 1


async def test_enterprises_without_debts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number does not grow for ever."""
    monkeypatch.setattr(module, "_ACCOUNTS", 10)
    clocks = Clocks()
    for number in range(100):
        await clocks.do(f"tenant-{number}", 0.02)
    assert len(clocks.shares._accounts) <= 11
