"""The wake-up: LISTEN on a connection of its own, so that due rows and changed rules need not wait for the poll."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import psycopg

from xnovu_poller import log
from xnovu_poller.lifecycle import seconds

_log = log.get(__name__)

DUE = "xnovu_due"
RULES = "xnovu_rules"

AFTER_SECONDS = (0.0, 0.03, 0.1, 1.0)
"""A wake-up turns at once; again for the commits that came within twenty milliseconds of it, and say nothing
themselves; and twice more for such commits that were slow. Source: docs/adr/0008-debounced-wakeups.md."""

_ANSWER_SECONDS = 5.0
"""A connection that is silent for so long when it is asked is lost."""


def _unheard() -> None:
    """Where nobody asks after rules."""


class Wakeup:
    """Calls the loops when the database says that something is due; polling stays the truth.

    Args:
        url: `postgresql://…`, directly to the server: LISTEN does not pass a transaction pooler.
        wake: turns the loops.
        rules_changed: is told when the database says that a rule was written.
        silence: after so long without a word the connection is asked whether it lives.
        pause: between the loss of a connection and the next.
    """

    def __init__(
        self,
        url: str,
        wake: Callable[[], Coroutine[Any, Any, None]],
        rules_changed: Callable[[], None] = _unheard,
        *,
        silence: timedelta = timedelta(seconds=30),
        pause: timedelta = timedelta(seconds=5),
    ) -> None:
        self._url = url
        self._wake = wake
        self._rules_changed = rules_changed
        self._silence = seconds(silence)
        self._pause = seconds(pause)
        self._ringing = asyncio.Event()
        self.listening = False

    async def run(self) -> None:
        """Listen for ever; a lost connection is made again, and counts as a word of each kind."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ring(tasks), name="wakeup-ring")
            while True:
                try:
                    await self._listen()
                except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
                    _log.warning("wake-up connection lost", reason=type(error).__name__)
                except Exception as error:  # noqa: BLE001 - the edge: a bug is not to end the listening
                    _log.error("wake-up has a bug", bug=type(error).__name__, at=log.trace(error))
                finally:
                    self.listening = False
                await asyncio.sleep(self._pause)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, application_name="xnovu:wakeup", connect_timeout=5
        ) as connection:
            await connection.execute(f"LISTEN {DUE}; LISTEN {RULES}")
            self.listening = True
            self._ringing.set()
            self._rules_changed()
            while True:
                async for notice in connection.notifies(timeout=self._silence):
                    if notice.channel == RULES:
                        self._rules_changed()
                    else:
                        self._ringing.set()
                # A connection cut without a word shows itself only when it is asked.
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await connection.execute("SELECT 1")

    async def _ring(self, tasks: asyncio.TaskGroup) -> None:
        """Turn the loops at each wake-up, and again for commits that said nothing, unless the next comes first."""
        while True:
            await self._ringing.wait()
            for pause in AFTER_SECONDS:
                if pause and await self._rung_within(pause):
                    break
                self._ringing.clear()
                # Not waited for: the next word is not to wait until what this one brought is handed off.
                tasks.create_task(self._wake(), name="wakeup-wake")

    async def _rung_within(self, pause: float) -> bool:
        try:
            async with asyncio.timeout(pause):
                return await self._ringing.wait()
        except TimeoutError:
            return False
