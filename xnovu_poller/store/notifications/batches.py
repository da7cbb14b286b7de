"""Change many notifications in batches, so that each lock is short and a stop in the middle leaves whole batches."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from xnovu_poller.pacing import doubled
from xnovu_poller.store.notifications.by_operator import Retracted, Revived

SIZE = 200
"""Notifications of a statement: it keeps them locked for some hundredths of a second, or some tenths on a busy machine."""

TRIES = 5
"""How often locked rows are tried again at the end, after growing pauses."""

_FIRST, _LONGEST = timedelta(seconds=1), timedelta(seconds=8)

Result = TypeVar("Result", Retracted, Revived)


async def in_batches(
    ids: AsyncIterator[Sequence[int]],
    act: Callable[[Sequence[int]], Awaitable[Result]],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[tuple[list[int], Result], None]:
    """Let an arrow change these notifications, and yield each batch of ids with its result.

    Rows that another session has locked are skipped, and tried again at the end. They come only in the last batches, if they
    are still locked then.

    Raises:
        StoreUnavailable: the batches that were yielded are changed, and the next may be.
    """
    locked: list[int] = []
    async for some in ids:
        for batch in _cut(some):
            result = await act(batch)
            locked += sorted(result.locked)
            yield [id_ for id_ in batch if id_ not in result.locked], result
    for number in range(TRIES):
        if not locked:
            return
        await pause(doubled(_FIRST, _LONGEST, number).total_seconds())
        left: list[int] = []
        for batch in _cut(locked):
            result = await act(batch)
            is_last = number == TRIES - 1
            left += [] if is_last else sorted(result.locked)
            yield [id_ for id_ in batch if is_last or id_ not in result.locked], result
        locked = left


def _cut(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + SIZE] for start in range(0, len(ids), SIZE)]
