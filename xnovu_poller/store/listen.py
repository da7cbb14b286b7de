"""LISTEN on a separate connection, and connect again when it is lost."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from xnovu_poller import log
from xnovu_poller.pacing import Backoff

_log = log.get(__name__)

DUE = "xnovu_due"
RULES = "xnovu_rules"
CHANNELS = (DUE, RULES)

_ANSWER_SECONDS = 5.0
"""Give up a connection that does not answer its check for this long."""

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
"""The pauses after a connection is lost; each is extended at random by up to half, so that replicas spread out."""

_OUTAGE = timedelta(minutes=1)
"""While PostgreSQL is away, the pool tries again after about 1, 2, 4 … seconds. After this long it gives up, and begins
again with the next request. Source: psycopg_pool, "Connection pools", `reconnect_timeout`."""

_REQUEST_SECONDS = 5.0
"""Wait this long for a connection before requesting it again."""


class Listener:
    """Calls back for each notification of the database.

    Args:
        url: `postgresql://…`, directly to the server, because LISTEN does not work through a transaction pooler.
        silence: check the connection after this long without a notification.

    Attributes:
        is_listening: whether notifications are received now.
    """

    def __init__(self, url: str, *, silence: timedelta = timedelta(seconds=30)) -> None:
        self._url = url
        self._silence = silence.total_seconds()
        self._backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, jitter=0.5)
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
                await asyncio.sleep(self._backoff.next().total_seconds())

    async def _listen(self, pool: AsyncConnectionPool, notify: Callable[[str], None]) -> None:
        async with pool.connection() as connection:
            await connection.execute("; ".join(f"LISTEN {channel}" for channel in CHANNELS).encode())
            self.is_listening = True
            self._backoff.reset()
            for channel in CHANNELS:
                notify(channel)
            while True:
                async for notice in connection.notifies(timeout=self._silence):
                    notify(notice.channel)
                # A connection whose server has vanished looks alive until it is used.
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await connection.execute("SELECT 1")

    def _pool(self) -> AsyncConnectionPool:
        return AsyncConnectionPool(
            self._url,
            min_size=1,
            max_size=1,
            open=False,
            name="wake-up",
            timeout=_REQUEST_SECONDS,
            reconnect_timeout=_OUTAGE.total_seconds(),
            kwargs={"autocommit": True, "application_name": "xnovu:wakeup", "connect_timeout": 5},
        )
