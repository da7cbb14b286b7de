"""The two enterprises that A tries to delay: each commits a notification every half second, and remembers when."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from typing_extensions import override

from benchmarks.hostile.attacks.attack import login

EVERY_SECONDS = 0.5

RETRY_SECONDS = 0.2

_ENQUEUE = """
SELECT notify.enqueue(%(enterprise)s, %(workflow)s, ARRAY[%(recipient)s], '{"text": "n"}', dedup_key => %(recipient)s)
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """A notification that a victim committed.

    Attributes:
        recipient: its only recipient, which no other notification has; also its dedup key.
        at: when its insert began, in seconds since 1970: an insert that has to wait is a delay too.
    """

    recipient: str
    at: float


class Victim(threading.Thread):
    """Commits notifications at an even pace until `finish`, without catching up.

    Attributes:
        committed: all committed notifications, in order.
        refused: how many inserts PostgreSQL refused.
    """

    def __init__(self, url: str, enterprise: str, workflow: str) -> None:
        super().__init__(name=enterprise, daemon=True)
        self.committed: list[Sent] = []
        self.refused = 0
        self._url = url
        self._enterprise = enterprise
        self._workflow = workflow
        self._ending = threading.Event()

    @override
    def run(self) -> None:
        """Insert until the end; an insert that fails is repeated under the same dedup key."""
        due = time.monotonic()
        with login(self._url, self._enterprise) as connection:
            while not self._ending.wait(max(0.0, due - time.monotonic())):
                recipient = f"{self._enterprise}-{len(self.committed)}"
                values = {"enterprise": self._enterprise, "workflow": self._workflow, "recipient": recipient}
                at = time.time()
                while not self._has_inserted(connection, values):
                    time.sleep(RETRY_SECONDS)
                self.committed.append(Sent(recipient, at))
                due = max(due + EVERY_SECONDS, time.monotonic())

    def finish(self) -> None:
        """Complete the insert in progress, and insert no more."""
        self._ending.set()
        self.join()

    def _has_inserted(
        self, connection: psycopg.Connection[tuple[object, ...]], values: dict[str, str]
    ) -> bool:
        try:
            connection.execute(_ENQUEUE, values)
        except psycopg.errors.UniqueViolation:
            return True
        except psycopg.Error:
            self.refused += 1
            return False
        return True


def finish(victims: Sequence[Victim]) -> list[Sent]:
    """End all victims, and return what they committed, in the order of time."""
    for victim in victims:
        victim.finish()
    return sorted((sent for victim in victims for sent in victim.committed), key=lambda sent: sent.at)
