"""One worker process, started again whenever it ends, as Kubernetes would."""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import httpx

from xnovu_poller.dev.children import Child
from xnovu_poller.dev.ports import LOOPBACK, free_port

RESTART_SECONDS = 1.0
"""From the end of one process to the start of the next."""

GRACE_SECONDS = 30.0
"""From SIGTERM to SIGKILL; Kubernetes' default."""

BEAT_SECONDS = 0.1


class Replica:
    """A worker under a small supervisor.

    Args:
        number: counted from 1.
        folder: takes a log for each of its processes.
        environment: all that a worker is told, without its health port.

    Attributes:
        number: as given.
        unasked: how often a process ended that nobody had struck.
    """

    def __init__(self, number: int, folder: Path, environment: Mapping[str, str]) -> None:
        self.number = number
        self.unasked = 0
        self._folder = folder
        self._environment = environment
        self._starts = 0
        self._port = 0
        self._kill_at: float | None = None
        self._struck = False
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"replica {number}", daemon=True)
        self._child = self._begun()

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._child.is_running

    @property
    def is_healthy(self) -> bool:
        """Whether `/health` says so."""
        with suppress(httpx.HTTPError):
            answer = httpx.get(f"http://{LOOPBACK}:{self._port}/health", timeout=5, trust_env=False)
            return answer.status_code == HTTPStatus.OK
        return False

    def wait_until_healthy(self) -> None:
        """Wait for the first process, and watch over it and its successors from then on.

        Raises:
            ServerFailed: it did not come up.
        """
        self._child.wait_until(lambda: self.is_healthy)
        self._keeper.start()

    def kill(self) -> None:
        """End the process as a crash would."""
        self._struck = True
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the process to end, as a rollout would; it is killed after the grace period."""
        self._struck = True
        self._kill_at = time.monotonic() + GRACE_SECONDS
        self._signal(signal.SIGTERM)

    def stall(self) -> None:
        """Stop the process where it stands."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a stalled process go on; it does not know that it ever stood."""
        self._signal(signal.SIGCONT)

    def leave(self) -> None:
        """Ask the process to end, and start no other; `stop` waits for it."""
        self._ending.set()
        if self._keeper.is_alive():
            self._keeper.join()
        self.resume()
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """End the process, and wait until it is gone."""
        self.leave()
        self._child.stop()

    def _begun(self) -> Child:
        self._starts += 1
        self._port = free_port()
        child = Child(
            f"worker-{self.number}.{self._starts}",
            [sys.executable, "-m", "xnovu_poller", "worker", "start"],
            folder=self._folder,
            environment={
                **self._environment,
                "WORKER_HEALTH_HOST": LOOPBACK,
                "WORKER_HEALTH_PORT": str(self._port),
            },
            patience_seconds=GRACE_SECONDS,
        )
        child.start()
        return child

    def _keep(self) -> None:
        while not self._ending.wait(BEAT_SECONDS):
            if not self._child.is_running:
                self.unasked += not self._struck
                if self._ending.wait(RESTART_SECONDS):
                    return
                self._struck, self._kill_at = False, None
                self._child = self._begun()
            elif self._kill_at is not None and time.monotonic() > self._kill_at:
                self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        child = self._child
        # Its end may be a moment ago; nobody else gets its id before its guardian has seen that end.
        if child.is_running and child.pid:
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)
