"""LISTEN on a separate connection, and connect again when it is lost."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg

from xnovu_poller import log
from xnovu_poller.errors import StoreError
from xnovu_poller.pacing import Backoff
from xnovu_poller.settings.address import read_address
from xnovu_poller.store.session import open_session, unavailable

_log = log.get(__name__)

DUE = "xnovu_due"
RULES = "xnovu_rules"
CHANNELS = (DUE, RULES)

_ANSWER_SECONDS = 5.0
"""Give up a connection that does not answer its check for this long."""

_DEBOUNCE_SECONDS, _PER_NOTIFICATION, _LONGEST_DEBOUNCE = 0.02, 0.002, 0.2
"""After each batch of notifications, do not read the connection for a while: the longer, the more notifications there
were, because anybody may send as many as they like. Commits that keep to our trigger send a few at most."""

# The wake-up's trigger keeps commits silent for 20 ms after a worker has heard it. Source: docs/adr/0008-debounced-wakeups.md.
HEARD = b"SELECT setval('notify.last_heard_ms', (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"

# A worker listens, but has not heard a wake-up just now: no commit may keep silent for that.
LISTENS = (
    b"SELECT setval('notify.last_heard_ms', (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1000)"
)

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
"""The pauses after a connection is lost; each is extended at random by up to half, so that replicas spread out."""


class Listener:
    """Calls back for each notification of the database.

    Args:
        url: `postgresql://…`.
        silence: check the connection, and show producers that we listen, after this long without a notification
            of a due row.

    Attributes:
        is_listening: whether notifications are received now.
    """

    def __init__(self, url: str, *, silence: timedelta = timedelta(seconds=10)) -> None:
        self._address = read_address(url)
        self._silence = silence.total_seconds()
        self._backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, jitter=0.5)
        self.is_listening = False
        self._arrived: Counter[str] = Counter()
        self._marked_at = 0.0

    async def run(self, notify: Callable[[str], None]) -> None:
        """Listen for ever.

        Args:
            notify: called with a channel, once for all its notifications of a moment; and once for each channel after
                every connect, because notifications may have been missed before.
        """
        while True:
            try:
                await self._listen(notify)
            except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
                _log.warning("wake-up connection lost", reason=str(unavailable(error)))
            except StoreError as error:
                _log.warning("wake-up connection lost", reason=str(error))
            except Exception as error:  # noqa: BLE001 - a bug must not end the listening
                log.bug(_log, "wake-up failed", error)
            finally:
                self.is_listening = False
            await asyncio.sleep(self._backoff.next().total_seconds())

    async def _listen(self, notify: Callable[[str], None]) -> None:
        async with await open_session(self._address, "wakeup") as connection:
            await connection.execute("; ".join(f"LISTEN {channel}" for channel in CHANNELS).encode())
            await self._mark(connection, LISTENS)
            self.is_listening = True
            self._backoff.reset()
            for channel in CHANNELS:
                notify(channel)
            while True:
                await self._hear(connection, notify)

    async def _hear(self, connection: psycopg.AsyncConnection[Any], notify: Callable[[str], None]) -> None:
        """Wait for notifications, and pass them on; if none of a due row has come for long, check the connection."""
        if not self._arrived:
            notices = connection.notifies(timeout=self._silence, stop_after=1)
            self._arrived.update([notice.channel async for notice in notices])
        channels, self._arrived = self._arrived, Counter()
        for channel in channels:
            notify(channel)
        # A connection whose server has vanished looks alive until it is used.
        async with asyncio.timeout(_ANSWER_SECONDS):
            if DUE in channels:
                await self._mark(connection, HEARD)
            elif time.monotonic() - self._marked_at >= self._silence:
                # Also among notifications of rules, which anybody may send. It fails if the server only reads.
                await self._mark(connection, LISTENS)
        if channels:
            pause = max(_DEBOUNCE_SECONDS, _PER_NOTIFICATION * channels.total())
            await asyncio.sleep(min(pause, _LONGEST_DEBOUNCE))

    async def _mark(self, connection: psycopg.AsyncConnection[Any], mark: bytes) -> None:
        with self._counting(connection):
            await connection.execute(mark)
        self._marked_at = time.monotonic()

    @contextmanager
    def _counting(self, connection: psycopg.AsyncConnection[Any]) -> Iterator[None]:
        """Of the notifications that arrive while a statement is executed, keep only their number in each channel.

        The server sends all that wait before its answer, and psycopg would keep each with its payload.
        """

        def count(notice: psycopg.Notify) -> None:
            self._arrived[notice.channel] += 1

        connection.add_notify_handler(count)
        try:
            yield
        finally:
            connection.remove_notify_handler(count)
