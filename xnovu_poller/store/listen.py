"""LISTEN on a connection of its own, which comes back when it is lost."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from xnovu_poller import log

_log = log.get(__name__)

DUE = "xnovu_due"
RULES = "xnovu_rules"
CHANNELS = (DUE, RULES)

_ANSWER_SECONDS = 5.0
"""A silent connection that does not answer for this long is lost."""

_PAUSE_SECONDS = 1.0
"""After a connection is lost; while PostgreSQL is away, the pool tries again with growing, randomised pauses.
Source: psycopg_pool, "Connection pools", `reconnect_timeout`."""

_LONGEST_OUTAGE = timedelta(minutes=1)
"""The pool starts its pauses anew after this long, so no pause is longer."""


class Listener:
    """Calls back for each notification of the database.

    Args:
        url: `postgresql://…`, directly to the server: LISTEN does not pass a transaction pooler.
        silence: after this long without a notification the connection is checked.

    Attributes:
        is_listening: whether notifications are received now.
    """

    def __init__(self, url: str, *, silence: timedelta = timedelta(seconds=30)) -> None:
        self._url = url
        self._silence = silence.total_seconds()
        self.is_listening = False

    async def run(self, notify: Callable[[str], None]) -> None:
        """Listen for ever.

        Args:
            notify: called with the channel of each notification, and once for each channel after every connect, because
                notifications may have been missed before.
        """
        async with self._pool() as pool:
            while True:
                try:
                    await self._listen(pool, notify)
                except PoolTimeout:
                    continue  # PostgreSQL is still away; the pool has logged why
                except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
                    _log.warning("wake-up connection lost", reason=type(error).__name__)
                except Exception as error:  # noqa: BLE001 - a bug must not end the listening
                    log.bug(_log, "wake-up failed", error)
                finally:
                    self.is_listening = False
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self, pool: AsyncConnectionPool, notify: Callable[[str], None]) -> None:
        async with pool.connection() as connection:
            await connection.execute("; ".join(f"LISTEN {channel}" for channel in CHANNELS).encode())
            self.is_listening = True
            for channel in CHANNELS:
                notify(channel)
            while True:
                async for notice in connection.notifies(timeout=self._silence):
                    notify(notice.channel)
                # A connection that was cut without a word shows it only when it is used.
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await connection.execute("SELECT 1")

    def _pool(self) -> AsyncConnectionPool:
        return AsyncConnectionPool(
            self._url,
            min_size=1,
            max_size=1,
            open=False,
            name="wake-up",
            reconnect_timeout=_LONGEST_OUTAGE.total_seconds(),
            kwargs={"autocommit": True, "application_name": "xnovu:wakeup", "connect_timeout": 5},
        )
