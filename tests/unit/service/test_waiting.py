"""The start waits for servers that are not up yet, and a stop ends every wait."""

import asyncio
from uuid import UUID

import pytest

from tests.support.waiting import eventually
from xnovu_poller.errors import DeploymentDisputed, SchemaBehind, StoreError, StoreUnavailable
from xnovu_poller.pacing import unless_stopped
from xnovu_poller.service import waiting as module
from xnovu_poller.service.waiting import StartWait


async def found() -> int:
    """Return an answer."""
    return 7


async def never() -> int:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def test_the_answer_is_returned() -> None:
    """This is the case without a stop."""
    assert await unless_stopped(asyncio.Event(), found()) == 7


async def test_a_stop_ends_the_wait_for_an_answer() -> None:
    """A server that accepts a connection and then does nothing does not delay the stop."""
    stop = asyncio.Event()
    waiting = asyncio.create_task(StartWait().until_answered(never, stop))
    await asyncio.sleep(0)

    stop.set()

    assert await waiting is None


async def test_no_question_is_asked_after_a_stop() -> None:
    """The result is None at once."""
    stop = asyncio.Event()
    stop.set()

    assert await StartWait().until_answered(found, stop) is None


async def test_it_asks_until_it_gets_an_answer_and_has_a_reason_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """/health shows the sentence of the last error as the reason."""
    monkeypatch.setattr(module, "_FIRST_PAUSE", module._FIRST_PAUSE / 100)
    answers = [StoreUnavailable("Connection refused"), StoreUnavailable("starting up")]
    waiting = StartWait()
    reasons = []

    async def ask() -> int:
        reasons.append(waiting.reason)
        if answers:
            raise answers.pop(0)
        return 7

    assert await waiting.until_answered(ask, asyncio.Event()) == 7
    assert (waiting.reason, waiting.error) == ("starting", None)
    assert reasons == [
        "starting",
        "database: does not answer (Connection refused)",
        "database: does not answer (starting up)",
    ]


async def test_a_stop_ends_the_pause_between_two_questions() -> None:
    """These pauses grow to half a minute."""
    stop = asyncio.Event()
    waiting = StartWait()

    async def ask() -> int:
        raise StoreUnavailable("Connection refused")

    waiting_task = asyncio.create_task(waiting.until_answered(ask, stop))
    await eventually(lambda: waiting.reason != "starting")
    stop.set()

    assert await waiting_task is None


@pytest.mark.parametrize(
    "error",
    [SchemaBehind(None, "0001_initial"), DeploymentDisputed(UUID(int=1), "a sign")],
    ids=["schema", "copy"],
)
async def test_an_error_that_waiting_cannot_cure_is_raised(error: StoreError) -> None:
    """A person has to migrate, or to decide about a copy."""

    async def ask() -> int:
        raise error

    with pytest.raises(type(error)):
        await StartWait().until_answered(ask, asyncio.Event())
