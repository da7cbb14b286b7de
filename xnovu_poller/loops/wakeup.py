"""The wake-up: when the database notifies us, due rows and changed rules do not wait for the poll."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from xnovu_poller.pacing import wait_for_event
from xnovu_poller.store import listen
from xnovu_poller.store.listen import Listener

AFTER_SECONDS = (0.0, 0.03, 0.1, 1.0)
"""A notification starts a turn at once. Commits within the next twenty milliseconds send no notification, so another
turn follows for them, and two more for commits that were slow. Source: docs/adr/0008-debounced-wakeups.md."""


class WakeupListener:
    """Wakes the loops when the database notifies us; polling stays the truth.

    Args:
        wake: turns the loops.
        rules_changed: called when a rule was written.
    """

    def __init__(
        self,
        listener: Listener,
        wake: Callable[[], Coroutine[Any, Any, None]],
        rules_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._listener = listener
        self._wake = wake
        self._rules_changed = rules_changed
        self._notified = asyncio.Event()

    @property
    def is_listening(self) -> bool:
        """Whether notifications are received now."""
        return self._listener.is_listening

    async def run(self) -> None:
        """Listen and wake for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._wake_loops(tasks), name="wakeup-loops")
            tasks.create_task(self._listener.run(self._notify), name="wakeup-listener")

    def _notify(self, channel: str) -> None:
        if channel == listen.RULES:
            self._rules_changed()
        else:
            self._notified.set()

    async def _wake_loops(self, tasks: asyncio.TaskGroup) -> None:
        """Wake the loops at each notification, and again for silent commits unless another notification comes first."""
        while True:
            await self._notified.wait()
            for pause in AFTER_SECONDS:
                if pause and await wait_for_event(self._notified, pause):
                    break
                self._notified.clear()
                # Do not await it: the next notification must not wait until these claims are handed off.
                tasks.create_task(self._wake(), name="wakeup-wake")
