"""The programs of the enterprises: they insert in small bursts at an even pace, and know what they have committed."""

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
"""So many come at once, so that there is something to share a workflow."""

RETRY_SECONDS = 0.2
CONNECT_SECONDS = 2
PATIENCE_SECONDS = 30.0


class Producer(threading.Thread):
    """Inserts notifications in small bursts until it is told to finish, through every outage of PostgreSQL.

    An insert whose commit got no answer is made again under the same dedup key: either the first one or
    the second one is refused, and the notification is known to be committed.

    Args:
        url: of the database.
        standin: the inserts of sample notifications ask for it.

    Attributes:
        committed: what is promised, by dedup key.
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
        """Insert; what an outage held up is not made up for, so that the pace is the same after it."""
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
        """Insert no more, once what is being inserted is known to be committed.

        Raises:
            ServerFailed: it has ended before, or does not come to its end; so what is promised is not known.
        """
        ended_before = not self.is_alive()
        self.abandon()
        self.join(PATIENCE_SECONDS)
        if ended_before or self.is_alive():
            raise ServerFailed(self.name, "ended by itself" if ended_before else "does not end")

    def abandon(self) -> None:
        """Insert no more; what is being inserted may be committed or not."""
        self._ending.set()

    def _insert(self, one: SampleNotification) -> None:
        while True:
            with suppress(psycopg.OperationalError):
                insert(self._connected(), one, self._standin)
                self.committed[str(one.dedup_key)] = one
                return
            time.sleep(RETRY_SECONDS)

    def _connected(self) -> Connection[TupleRow]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                options="-c role=xnovu_tenant",
                connect_timeout=CONNECT_SECONDS,
            )
        return self._connection
