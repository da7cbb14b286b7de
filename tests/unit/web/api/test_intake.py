"""What the bodies of an enterprise may take: beyond that it waits, and another does not."""

import asyncio

from starlette.requests import Request

from xnovu_poller.delivery.shares import Shares
from xnovu_poller.web.api.intake import LARGE_BYTES, PLACES, PLACES_OF_ONE, Intake


def a_request(**headers: object) -> Request:
    """Return the head of a request."""
    named = [(name.replace("_", "-").encode(), str(value).encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": named})


LARGE = a_request(content_length=LARGE_BYTES + 1)


async def turn() -> None:
    """Let all tasks go as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_large_bodies_have_a_few_places() -> None:
    """Those of an enterprise, and those of all; a body of unknown length is large, and a small body needs no place."""
    intake, left = Intake(Shares()), asyncio.Event()
    inside: list[str] = []

    async def send(request: Request, enterprise: str) -> None:
        async with intake.hold_place(request, enterprise):
            inside.append(enterprise)
            await left.wait()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(PLACES_OF_ONE):
            tasks.create_task(send(LARGE, "acme"))
            tasks.create_task(send(a_request(transfer_encoding="chunked"), "acme"))
        await turn()
        assert inside == ["acme"] * PLACES_OF_ONE
        for number in range(PLACES):
            tasks.create_task(send(LARGE, f"other-{number}"))
        await turn()
        assert len(inside) == PLACES
        for _ in range(20):
            tasks.create_task(send(a_request(content_length=LARGE_BYTES), "small"))
        await turn()
        assert inside.count("small") == 20
        left.set()
    assert len(inside) == 2 * PLACES_OF_ONE + PLACES + 20


async def test_heavy_bodies_wait_for_their_share() -> None:
    """Unread, if they are large; a body of another enterprise is checked meanwhile."""
    clock = [0.0]
    intake = Intake(Shares(lambda: clock[0], lambda: clock[0]))

    def work() -> None:
        clock[0] += 0.005

    # Each is paid for 15 ms longer than it takes; a second of debt is allowed.
    for _ in range(67):
        await intake.check("acme", work)
    done: list[str] = []

    async def send() -> None:
        async with intake.hold_place(LARGE, "acme"):
            done.append("read")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send())
        tasks.create_task(intake.check("acme", lambda: done.append("checked")))
        await turn()
        await intake.check("globex", work)
        assert done == []
        clock[0] += 60
    assert sorted(done) == ["checked", "read"]
