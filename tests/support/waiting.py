"""Wait until something is true, never for time to pass."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

import psycopg
import pytest

T = TypeVar("T")

BEAT_SECONDS = 0.01
WITHIN: float = 120
"""Seconds, for a machine that is many times slower than ours: only a failing test waits this long."""


@overload
async def eventually(check: Callable[[], Awaitable[T]], *, within: float = WITHIN) -> T: ...


@overload
async def eventually(check: Callable[[], T], *, within: float = WITHIN) -> T: ...


async def eventually(check: Callable[[], T | Awaitable[T]], *, within: float = WITHIN) -> T:
    """Ask until the answer is truthy, and return it.

    Args:
        check: the question, plain or async.
        within: seconds.
    """
    deadline = time.monotonic() + within
    while True:
        answer = check()
        seen: T = await answer if inspect.isawaitable(answer) else answer
        if seen:
            return seen
        _give_up_after(deadline, seen)
        await asyncio.sleep(BEAT_SECONDS)


def wait_until(check: Callable[[], T], *, within: float = WITHIN) -> T:
    """Do the same as `eventually`, where there is no event loop."""
    deadline = time.monotonic() + within
    while not (seen := check()):
        _give_up_after(deadline, seen)
        time.sleep(BEAT_SECONDS)
    return seen


async def until_blocked(database_url: str, application_name: str, *, within: float = WITHIN) -> None:
    """Wait until a connection with this application name waits for a lock of another connection.

    Use a connection without a transaction, in which `pg_stat_activity` would not change.
    """
    connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    async with connection:

        async def blocked() -> bool:
            found = await connection.execute(
                "SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
                " AND cardinality(pg_blocking_pids(pid)) > 0",
                [application_name],
            )
            return found.rowcount > 0

        await eventually(blocked, within=within)


def _give_up_after(deadline: float, seen: object) -> None:
    if time.monotonic() > deadline:
        pytest.fail(f"still {seen!r} when the time was over")
