"""The budget of bytes that a process holds."""

import asyncio

from xnovu_poller.delivery.bytes_in_flight import MEGABYTE, MOST_AT_ONCE, BytesInFlight, room_for


def test_a_group_has_room_for_usual_notifications() -> None:
    """A single notification has enough for nearly every payload, and no group has more than its part."""
    assert room_for(1) == MEGABYTE
    assert room_for(500) == 500 * 16 * 1024
    assert room_for(5000) == MOST_AT_ONCE


async def test_who_finds_no_room_waits_until_another_has_ended() -> None:
    """What turns out to be lighter gives its room back at once."""
    budget = BytesInFlight(10)
    order = []

    async def hold(name: str, size: int) -> None:
        async with budget.reserve(size):
            order.append(name)

    async with budget.reserve(8) as first:
        waiting = [asyncio.create_task(hold(name, size)) for name, size in (("heavy", 6), ("light", 2))]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert order == ["light"]
        first.resize(4)
        await asyncio.wait(waiting)

    assert order == ["light", "heavy"]


async def test_the_heaviest_of_all_waits_for_the_whole_budget_only() -> None:
    """It would wait for ever otherwise."""
    async with BytesInFlight(10).reserve(1000) as reserved:
        assert reserved.size == 10
