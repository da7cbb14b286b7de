"""The producer: it inserts in small bursts at an even pace, and remembers the committed notifications."""

import threading
import time
from contextlib import suppress
from itertools import count

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow
from typing_extensions import override

from benchmarks.chaos.samples import sample
from xnovu_poller.dev.children import ServerFailed
from xnovu_poller.dev.demo.load import insert
from xnovu_poller.dev.demo.standin import StandIn
from xnovu_poller.dev.sample.notifications import SampleNotification

PER_SECOND = 10

BURST = 5
"""Insert this many at once, so that some of them share a run."""

RETRY_SECONDS = 0.2
CONNECT_SECONDS = 2
PATIENCE_SECONDS = 30.0


class Producer(threading.Thread):
    """Inserts notifications in small bursts until `finish`, through every outage of PostgreSQL.

    If a commit gets no answer, the insert is repeated under the same dedup key. If the first insert was committed, the
    second is refused, so either way the notification is known to be committed.

    Attributes:
        committed: the notifications that must not be lost, by dedup key.
    """

    def __init__(self, url: str, standin: StandIn) -> None:
        super().__init__(name="producer", daemon=True)
        self.committed: dict[str, SampleNotification] = {}
        self._url = url
        self._standin = standin
        self._ending = threading.Event()
        self._connection: Connection[TupleRow] | None = None

    @override
    def run(self) -> None:
        """Insert at the same pace after an outage as before it, without catching up."""
        due = time.monotonic()
        for number in count():
            if self._ending.wait(max(0.0, due - time.monotonic())):
                break
            self._insert(sample(number))
            if number % BURST == BURST - 1:
                due = max(due + BURST / PER_SECOND, time.monotonic())
        if self._connection is not None:
            self._connection.close()

    def finish(self) -> None:
        """Complete the insert in progress, and insert no more.

        Raises:
            ServerFailed: the producer ended before, or does not end, so the committed notifications are not known.
        """
        ended_before = not self.is_alive()
        self.abandon()
        self.join(PATIENCE_SECONDS)
        if ended_before or self.is_alive():
            raise ServerFailed(self.name, "ended by itself" if ended_before else "does not end")

    def abandon(self) -> None:
        """Insert no more; the insert in progress may be committed or not."""
        self._ending.set()

    def _insert(self, notification: SampleNotification) -> None:
        while True:
            with suppress(psycopg.OperationalError):
                insert(self._connected(), notification, self._standin)
                self.committed[str(notification.dedup_key)] = notification
                return
            time.sleep(RETRY_SECONDS)

    def _connected(self) -> Connection[TupleRow]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                options="-c role=xnovu_producer",
                connect_timeout=CONNECT_SECONDS,
            )
        return self._connection
