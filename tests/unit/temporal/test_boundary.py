"""The edge of the activities: whose input it lets in, and what it lets out."""

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
from xnovu_poller.temporal.foreign_deployment import tries_before

SHORT = timedelta(milliseconds=40)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """All that is logged."""
    with logged_in_full() as written:
        yield written


async def around(theirs: str, fault: Exception | None = None) -> ApplicationError | None:
    """Go around our edge with somebody's input; give what came out."""
    edge = ActivityBoundary("ours")

    async def activity() -> None:
        async with edge.around(theirs, SHORT):
            if fault is not None:
                raise fault

    try:
        await ActivityEnvironment().run(activity)
    except ApplicationError as error:
        return error
    return None


async def test_our_own_input_goes_in_and_comes_out() -> None:
    """Nothing is in its way."""
    assert await around("ours") is None


async def test_another_deployments_input_is_refused(lines: io.StringIO) -> None:
    """For good, as no try, and without a word of the fault that would have come."""
    refused = await around("theirs", ValueError("never reached"))

    assert refused is not None
    assert refused.non_retryable
    assert tries_before(refused) == 0
    assert "another deployment shares our task queue" in lines.getvalue()


@pytest.mark.parametrize(
    ("fault", "retryable"), [(StoreUnavailable("x"), True), (TemporalRefused("y"), False)], ids=type
)
async def test_our_own_faults_are_told_in_their_sentence(fault: Exception, *, retryable: bool) -> None:
    """Whether trying again helps is their own word; no cause goes along."""
    told = await around("ours", fault)

    assert told is not None
    assert (told.message, told.non_retryable) == (str(fault), not retryable)
    assert told.__cause__ is None


async def test_a_bug_is_told_by_its_name_alone(lines: io.StringIO) -> None:
    """Its message may quote what it stumbled over."""
    told = await around("ours", ValueError("value-marker"))

    assert told is not None
    assert told.message == "a bug: ValueError"
    assert not told.non_retryable
    assert "value-marker" not in lines.getvalue()


async def test_it_heartbeats_as_long_as_it_lasts() -> None:
    """Several times within the silence that is taken for death, and not beyond the end."""
    environment = ActivityEnvironment()
    beats: list[object] = []
    environment.on_heartbeat = lambda *details: beats.append(details)

    async def activity() -> None:
        async with ActivityBoundary("ours").around("ours", SHORT):
            await eventually(lambda: len(beats) >= 3)

    others = asyncio.all_tasks()
    await environment.run(activity)
    await eventually(lambda: asyncio.all_tasks() == others)
