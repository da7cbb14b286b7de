"""The pause after a failure grows, varies at random, and has a maximum."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xnovu_poller import pacing
from xnovu_poller.pacing import Backoff, doubled, unless_stopped, wait_for_event


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [
        (1, 5, 10),
        (2, 10, 20),
        (3, 20, 40),
        (7, 320, 640),
        (9, 1280, 2560),
        (10, 1800, 3600),
        (1000, 1800, 3600),
    ],
)
def test_the_table_of_examples_holds(failures: int, least: int, most: int) -> None:
    """These are the rows of the docstring's table, in seconds."""
    assert pacing.failure_pause(failures, lambda: 0.0) == timedelta(seconds=least)
    assert pacing.failure_pause(failures, lambda: 1.0) == timedelta(seconds=most)


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=10_000), st.floats(min_value=0, max_value=1))
def test_a_pause_never_exceeds_the_longest(failures: int, drawn: float) -> None:
    """After any number of failures, the next try comes within the hour."""
    assert pacing.FAILURE_FIRST / 2 <= pacing.failure_pause(failures, lambda: drawn) <= pacing.FAILURE_LONGEST


def test_two_pauses_differ() -> None:
    """Notifications that failed together do not return together."""
    assert len({pacing.failure_pause(5) for _ in range(20)}) > 1


def test_a_backoff_doubles_its_pauses_up_to_the_longest_until_it_is_reset() -> None:
    """A server that was down for long is still tried regularly, and the first success resets the pause."""
    backoff = Backoff(timedelta(seconds=1), timedelta(seconds=5))
    assert [backoff.next().total_seconds() for _ in range(5)] == [1, 2, 4, 5, 5]

    backoff.reset()
    assert backoff.next() == timedelta(seconds=1)


def test_jitter_spreads_pauses_upwards() -> None:
    """Replicas that lost the same server do not return at the same moment, and none returns early."""
    pauses = {Backoff(timedelta(seconds=1), timedelta(seconds=5), jitter=0.5).next() for _ in range(50)}

    assert len(pauses) > 1
    assert timedelta(seconds=1) <= min(pauses)
    assert max(pauses) <= timedelta(seconds=1.5)


def test_an_outage_of_years_overflows_nothing() -> None:
    """Doubling stops before the number gets too large."""
    assert doubled(timedelta(seconds=1), timedelta(minutes=1), 1_000_000) == timedelta(minutes=1)


async def test_a_wait_ends_with_its_event_or_its_time() -> None:
    """The result shows which of the two happened."""
    event = asyncio.Event()
    assert not await wait_for_event(event, 0.001)

    event.set()
    assert await wait_for_event(event, 3600)


async def test_a_stop_ends_a_wait_for_a_result() -> None:
    """The work is cancelled, and nobody waits for its result."""
    stop = asyncio.Event()
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    waiting = asyncio.create_task(unless_stopped(stop, work()))
    await asyncio.sleep(0)
    stop.set()

    assert await waiting is None  # type: ignore[func-returns-value] # the work returns nothing, but is cut short
    await cancelled.wait()
