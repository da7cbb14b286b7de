"""A worker process that is restarted whenever it ends, as Kubernetes would."""

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
"""From SIGTERM to SIGKILL, as Kubernetes does by default."""

BEAT_SECONDS = 0.1


class Replica:
    """A worker under a small supervisor.

    Args:
        number: counted from 1.
        folder: for the logs of its processes.
        environment: the worker's environment, without its health port.
        command: what runs its `xnovu`.

    Attributes:
        unasked: how often a process ended although no fault had hit it.
    """

    def __init__(
        self,
        number: int,
        folder: Path,
        environment: Mapping[str, str],
        command: tuple[str, ...] = (sys.executable, "-m", "xnovu_poller"),
    ) -> None:
        self.number = number
        self.unasked = 0
        self._folder = folder
        self._environment = environment
        self._command = command
        self._starts = 0
        self._port = 0
        self._kill_at: float | None = None
        self._struck = False
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"replica {number}", daemon=True)
        self._child = self._start_process()

    @property
    def pid(self) -> int:
        """The id of the process; 0 while there is none."""
        return self._child.pid

    @property
    def port(self) -> int:
        """The port of the process's pages."""
        return self._port

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._child.is_running

    @property
    def is_healthy(self) -> bool:
        """Whether `/health` answers 200."""
        with suppress(httpx.HTTPError):
            answer = httpx.get(f"http://{LOOPBACK}:{self._port}/health", timeout=5, trust_env=False)
            return answer.status_code == HTTPStatus.OK
        return False

    def wait_until_healthy(self) -> None:
        """Wait until the first process is healthy, then supervise it and its successors.

        Raises:
            ServerFailed: it did not become healthy.
        """
        self._child.wait_until(lambda: self.is_healthy)
        self.supervise()

    def supervise(self) -> None:
        """Start the process again whenever it ends."""
        self._keeper.start()

    def kill(self) -> None:
        """End the process as a crash would."""
        self._struck = True
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the process to end, as a rollout would, and kill it after the grace period."""
        self._struck = True
        self._kill_at = time.monotonic() + GRACE_SECONDS
        self._signal(signal.SIGTERM)

    def stall(self) -> None:
        """Freeze the process."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on, which does not know that it was frozen."""
        self._signal(signal.SIGCONT)

    def leave(self) -> None:
        """Ask the process to end, and do not restart it; `stop` waits for it."""
        self._ending.set()
        if self._keeper.is_alive():
            self._keeper.join()
        self.resume()
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """End the process, and wait until it is gone."""
        self.leave()
        self._child.stop()

    def _start_process(self) -> Child:
        self._starts += 1
        self._port = free_port()
        child = Child(
            f"worker-{self.number}.{self._starts}",
            [*self._command, "worker", "start"],
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
                self._child = self._start_process()
            elif self._kill_at is not None and time.monotonic() > self._kill_at:
                self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        child = self._child
        # It may have ended a moment ago; no other process gets its id before its guardian has noticed that.
        if child.is_running and child.pid:
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)
