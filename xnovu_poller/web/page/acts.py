"""The actions that people have started on the page: each goes on in batches after its answer, and its line in the audit counts."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException

from xnovu_poller import log
from xnovu_poller.errors import XnovuError
from xnovu_poller.lifecycle import Status
from xnovu_poller.store import audit
from xnovu_poller.store.audit import Act
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.actions import Action, Effect, change_all

_log = log.get(__name__)

MOST_AT_ONCE, MOST_WAITING = 2, 20
"""The actions on many notifications that run at once, and that wait for their turn."""

_REMEMBERED = 200


class Acts:
    """Runs actions; what became of each is remembered in this process, by its line in the audit."""

    def __init__(self) -> None:
        self._running: dict[int, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting: set[int] = set()
        self._effects: OrderedDict[int, Counter[Effect]] = OrderedDict()

    async def start(
        self,
        engine: Engine,
        action: Action[Any],
        act: Act,
        ids: AsyncIterator[Sequence[int]],
        states: Sequence[Status],
        *,
        at_once: bool = False,
    ) -> int:
        """Begin an action, and return its line in the audit.

        Args:
            at_once: it does not wait for its turn, because it is short.

        Raises:
            HTTPException: too many wait already.
            StoreUnavailable: nothing was changed.
        """
        if len(self._waiting) >= MOST_WAITING and not at_once:
            raise HTTPException(503, f"{MOST_WAITING} actions wait already; try again when some have ended")
        line = await audit.start(engine, act)
        effects = self._effects[line] = Counter[Effect]()
        if len(self._effects) > _REMEMBERED:
            self._effects.popitem(last=False)
        change = partial(_run, engine, action, line, ids, states, effects)
        task = asyncio.create_task(change() if at_once else self._in_turn(line, change), name=f"act {line}")
        self._running[line] = task
        task.add_done_callback(lambda _: self._running.pop(line, None))
        return line

    async def _in_turn(self, line: int, change: Callable[[], Awaitable[None]]) -> None:
        self._waiting.add(line)
        try:
            await self._turns.acquire()
        finally:
            self._waiting.discard(line)
        try:
            await change()
        finally:
            self._turns.release()

    async def finish(self, line: int) -> None:
        """Wait until an action has ended."""
        task = self._running.get(line)
        if task is not None:
            await asyncio.wait([task])

    def find_effects(self, line: int) -> list[tuple[Effect, int]]:
        """Return how many notifications had which effect so far; empty if another process has acted."""
        return self._effects.get(line, Counter()).most_common()

    def is_running(self, line: int) -> bool:
        """Return whether an action runs in this process."""
        return line in self._running

    def is_waiting(self, line: int) -> bool:
        """Return whether an action waits for its turn in this process."""
        return line in self._waiting

    async def aclose(self) -> None:
        """Stop the actions after whole batches; their lines stay unfinished."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _run(
    engine: Engine,
    action: Action[Any],
    line: int,
    ids: AsyncIterator[Sequence[int]],
    states: Sequence[Status],
    effects: Counter[Effect],
) -> None:
    try:
        async with aclosing(change_all(engine, action, line, ids, states)) as batches:
            async for batch in batches:
                effects.update(batch.values())
    except XnovuError as error:
        _log.warning("action of the page stopped", action=action.name, audit=line, reason=str(error))
    except Exception as error:  # noqa: BLE001 - nobody waits for the task
        log.bug(_log, "action of the page failed", error)
