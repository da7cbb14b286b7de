"""The boundary of the activities: which input it accepts, and which errors may leave it."""

import asyncio
import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tests.support.logs import logged_in_full
from tests.support.waiting import eventually
from xnovu_poller.errors import StoreUnavailable, TemporalRefused
from xnovu_poller.temporal.boundary import ActivityBoundary
from xnovu_poller.temporal.foreign_deployment import count_tries_before_refusal

SHORT = timedelta(milliseconds=40)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Yield the log, at all levels."""
    with logged_in_full() as written:
        yield written


async def run(owner: str, fault: Exception | None = None) -> ApplicationError | None:
    """Run an activity of our deployment with an owner's input; return the error that leaves it."""
    boundary = ActivityBoundary("ours")

    async def activity() -> None:
        async with boundary.guard(owner, SHORT):
            if fault is not None:
                raise fault

    try:
        await ActivityEnvironment().run(activity)
    except ApplicationError as error:
        return error
    return None


async def test_our_own_input_is_accepted() -> None:
    """No error leaves the activity."""
    assert await run("ours") is None


async def test_another_deployments_input_is_refused(lines: io.StringIO) -> None:
    """The refusal is final, counts as no try, and the activity does not run."""
    refused = await run("theirs", ValueError("never reached"))

    assert refused is not None
    assert refused.non_retryable
    assert count_tries_before_refusal(refused) == 0
    assert "another deployment shares our task queue" in lines.getvalue()


@pytest.mark.parametrize(
    ("fault", "retryable"), [(StoreUnavailable("x"), True), (TemporalRefused("y"), False)], ids=type
)
async def test_our_own_errors_leave_as_their_sentence(fault: Exception, *, retryable: bool) -> None:
    """The error decides whether to try again; its cause does not leave."""
    left = await run("ours", fault)

    assert left is not None
    assert (left.message, left.non_retryable) == (str(fault), not retryable)
    assert left.__cause__ is None


async def test_only_the_name_of_a_bug_leaves(lines: io.StringIO) -> None:
    """Its message may quote a payload."""
    left = await run("ours", ValueError("value-marker"))

    assert left is not None
    assert left.message == "a bug: ValueError"
    assert not left.non_retryable
    assert "value-marker" not in lines.getvalue()


async def test_an_activity_heartbeats_until_it_ends() -> None:
    """It heartbeats several times within the timeout, and not after its end."""
    environment = ActivityEnvironment()
    beats: list[object] = []
    environment.on_heartbeat = lambda *details: beats.append(details)

    async def activity() -> None:
        async with ActivityBoundary("ours").guard("ours", SHORT):
            await eventually(lambda: len(beats) >= 3)

    others = asyncio.all_tasks()
    await environment.run(activity)
    await eventually(lambda: asyncio.all_tasks() == others)
