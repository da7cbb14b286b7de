"""Growing pauses, and waits that an event ends early; used wherever something is tried again."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

Result = TypeVar("Result")

_MOST_DOUBLINGS = 32
"""The longest pause is reached long before this; more doublings would overflow a timedelta."""

FAILURE_FIRST, FAILURE_LONGEST = timedelta(seconds=10), timedelta(hours=1)
"""The pause after a notification's first failure, and the longest."""


def doubled(first: timedelta, longest: timedelta, times: int) -> timedelta:
    """Return `first` doubled `times` times, at most `longest`."""
    pause: timedelta = first * 2 ** min(max(times, 0), _MOST_DOUBLINGS)
    return min(pause, longest)


def failure_pause(failures: int, draw: Callable[[], float] = random.random) -> timedelta:
    """Return how long a failed notification waits for its next attempt; each failure doubles it.

    Half of the pause is fixed and half is drawn, so that notifications that failed together do not
    return together.

    | failures | at least | at most  |
    | -------- | -------- | -------- |
    | 1        | 5 s      | 10 s     |
    | 2        | 10 s     | 20 s     |
    | 3        | 20 s     | 40 s     |
    | 7        | 5 m 20 s | 10 m 40 s |
    | 9        | 21 m 20 s | 42 m 40 s |
    | 10       | 30 m     | 60 m     |
    | 1000     | 30 m     | 60 m     |

    Args:
        failures: failures so far that count, at least 1.
        draw: returns a number from 0 to 1.
    """
    return doubled(FAILURE_FIRST, FAILURE_LONGEST, failures - 1) / 2 * (1 + draw())


LOCKED_PAUSE = (timedelta(milliseconds=100), timedelta(milliseconds=500))
"""The first and the longest pause before a row is tried again that another session has locked."""


class Backoff:
    """The pauses between tries of something that fails: each is twice the last, until a try succeeds.

    Args:
        first: the pause after the first failure.
        longest: the longest pause.
        jitter: up to this share of a pause, from 0 to 1, is added at random, so that replicas spread out.
    """

    def __init__(self, first: timedelta, longest: timedelta, *, jitter: float = 0.0) -> None:
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self._failures = 0

    def reset(self) -> None:
        """Begin with the first pause again, after a success."""
        self._failures = 0

    def next(self) -> timedelta:
        """Return the pause after one more failure."""
        pause = doubled(self._first, self._longest, self._failures)
        self._failures += 1
        return pause * (1 + self._jitter * random.random())  # noqa: S311 - spreads replicas, guards no secret


async def wait_for_event(event: asyncio.Event, timeout: float) -> bool:  # noqa: ASYNC109 - the timeout is the normal end
    """Wait until an event is set, for at most `timeout` seconds; return whether it is set."""
    try:
        async with asyncio.timeout(timeout):
            return await event.wait()
    except TimeoutError:
        return False


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """Return the result of `work`, or None if `stop` is set first; then `work` is cancelled and not waited for."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
