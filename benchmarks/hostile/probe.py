"""Watch a worker from outside: how fast `/livez` answers, and how much memory all its processes take."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx
from typing_extensions import override

from benchmarks.chaos.replica import Replica
from xnovu_poller.dev.ports import LOOPBACK

EVERY_SECONDS = 0.5
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the worker.

    Attributes:
        at: when, in seconds since 1970.
        answered: seconds until `/livez` answered; None: it did not within `PATIENCE_SECONDS`, or with an error.
        resident: resident memory of the worker and its children, in bytes; 0 while no process runs.
    """

    at: float
    answered: float | None
    resident: int


class Probe(threading.Thread):
    """Looks at the worker every half second, each time by a new connection, as a kubelet does."""

    def __init__(self, replica: Replica) -> None:
        super().__init__(name="probe", daemon=True)
        self.looks: list[Look] = []
        self._replica = replica
        self._ending = threading.Event()

    @override
    def run(self) -> None:
        """Look until `finish`."""
        while not self._ending.wait(EVERY_SECONDS):
            at = time.time()
            answered = self._ask()
            self.looks.append(Look(at, answered, resident(self._replica.pid)))

    def finish(self) -> None:
        """Look no more."""
        self._ending.set()
        self.join()

    def _ask(self) -> float | None:
        started_at = time.monotonic()
        with suppress(httpx.HTTPError):
            url = f"http://{LOOPBACK}:{self._replica.port}/livez"
            answer = httpx.get(url, timeout=PATIENCE_SECONDS, trust_env=False)
            if answer.status_code == HTTPStatus.OK:
                return time.monotonic() - started_at
        return None


def resident(pid: int) -> int:
    """Return the resident memory of a process and its descendants, in bytes.

    Source: proc(5), `VmRSS` of status and `task/[tid]/children`.
    """
    total = 0
    with suppress(FileNotFoundError, ProcessLookupError):
        status = Path(f"/proc/{pid}/status").read_text()
        total = sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(resident(int(child)) for child in (task / "children").read_text().split())
    return total
