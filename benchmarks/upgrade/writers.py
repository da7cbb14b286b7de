"""Applications that write without pause, and remember how long each write took."""

import threading
import time
from dataclasses import dataclass

import psycopg
from typing_extensions import override

_ENQUEUE = (
    b"SELECT notify.enqueue('acme', 'order-shipped', ARRAY['subscriber-1'], payload => '{\"order\": 1}')"
)
_RENAME = b"""
    UPDATE notify.ent_notification SET name = 'renamed' WHERE id = (
        SELECT id FROM notify.ent_notification WHERE notification_status = 'PENDING' ORDER BY id OFFSET %s LIMIT 1)"""


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was committed: when it began, by `time.monotonic`, and how long it took."""

    began_at: float
    seconds: float


class Writer(threading.Thread):
    """Enqueues and updates notifications until `end`.

    Attributes:
        writes: the writes so far.
        error: what ended it before.
    """

    def __init__(self, url: str, number: int) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self.writes: list[Write] = []
        self.error: psycopg.Error | None = None
        self._url, self._number = url, number
        self._ending = threading.Event()

    @override
    def run(self) -> None:
        """Write without pause."""
        try:
            with psycopg.connect(self._url, autocommit=True) as connection:
                while not self._ending.is_set():
                    began_at = time.monotonic()
                    if len(self.writes) % 2:
                        connection.execute(_RENAME, [self._number])
                    else:
                        connection.execute(_ENQUEUE)
                    self.writes.append(Write(began_at, time.monotonic() - began_at))
        except psycopg.Error as error:
            self.error = error

    def end(self) -> None:
        """Let the write in progress finish.

        Raises:
            Error: a write failed.
        """
        self._ending.set()
        self.join()
        if self.error is not None:
            raise self.error


def seconds(writers: list[Writer], start: float, end: float) -> list[float]:
    """Return how long the writes took that began or ended in a span of time, the shortest first."""
    found = (write for writer in writers for write in writer.writes)
    return sorted(
        write.seconds for write in found if write.began_at < end and write.began_at + write.seconds > start
    )
