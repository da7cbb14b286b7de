"""Start servers that end with this process, and stop each with its own signal."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from xnovu_poller.dev import guardian
from xnovu_poller.dev.unprivileged import User
from xnovu_poller.errors import XnovuError

CLEAN_ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
)
"""The environment of every server; it holds no secret of ours."""


class ServerFailed(XnovuError):
    """A server of the one-machine stack did not start, or ended."""

    code: ClassVar[str] = "server_failed"

    def __init__(self, name: str, reason: str, log: str = "") -> None:
        super().__init__(f"{name}: {reason}" + (f"; the end of its log:\n{log}" if log else ""))


class ServerEnded(ServerFailed):
    """A server ended before it answered."""


def start_again(start: Callable[[], None], times: int = 3) -> None:
    """Start a server, and start it again if it ends before it answers.

    A port that was free when we looked may be taken by the time the server binds it. Temporal's server
    picks more ports in the same way, and panics if it loses one.

    Args:
        start: picks new free ports at each call.
        times: the number of starts in total.

    Raises:
        ServerFailed: the last start failed, or a started server did not answer.
    """
    for _ in range(times - 1):
        with suppress(ServerEnded):
            start()
            return
    start()


@contextmanager
def lock_out(folder: Path, name: str, patience_seconds: float = 10) -> Iterator[None]:
    """Lock a child's name in a folder, so that no such server starts there meanwhile.

    Raises:
        ServerFailed: one runs there and does not end in time.
    """
    lock = os.open(_lock(folder, name), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not guardian.acquire(lock, patience_seconds):
            raise ServerFailed(name, "still runs in this folder; stop it first")
        yield
    finally:
        os.close(lock)


@dataclass(eq=False)
class Child:
    """One server, with its log and its lock in one folder.

    A guardian, itself our child, runs the server and holds one end of a pipe; we hold the other.

    Guarantee: the server ends when it is stopped and when we die, even by SIGKILL. Only one server at a time
    runs under a name in a folder: a start waits for an earlier server that is stopping.

    Attributes:
        name: the name of the log and of the lock.
        command: the server and its arguments, with absolute paths.
        folder: holds the log and the lock; must exist.
        environment: the server's environment, added to a path and a locale.
        run_as: run as this user, if we are root; None for our own.
        stop_signal: asks the server to end.
        patience_seconds: the time it has to end before it is killed.
        pid: the server's process id; 0 before `start` and after `stop`.
    """

    name: str
    command: Sequence[str | Path]
    _: KW_ONLY
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    run_as: User | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    patience_seconds: float = 10
    pid: int = field(default=0, init=False)
    _guardian: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def log(self) -> Path:
        """The file that holds the server's output."""
        return self.folder / f"{self.name}.log"

    @property
    def is_running(self) -> bool:
        """Whether the server runs."""
        return self._guardian is not None and self._guardian.poll() is None

    def start(self) -> None:
        """Start the server; it may not answer yet.

        Raises:
            ServerFailed: it cannot be executed, or another server of this name runs in this folder.
        """
        order = guardian.Order(
            command=[str(part) for part in self.command],
            log=str(self.log.absolute()),
            lock=str(_lock(self.folder, self.name)),
            user=self.run_as.uid if self.run_as else None,
            group=self.run_as.gid if self.run_as else None,
            stop_signal=self.stop_signal,
            patience_seconds=self.patience_seconds,
        )
        self._guardian = subprocess.Popen(
            # Isolated and without site packages: a guardian needs only the standard library.
            [sys.executable, "-I", "-S", guardian.__file__, json.dumps(asdict(order))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**CLEAN_ENVIRONMENT, **self.environment},
            cwd="/",
            start_new_session=True,  # Ctrl-C reaches only us; we then stop the servers in order
            bufsize=0,
        )
        assert self._guardian.stdout  # noqa: S101 - Popen was given PIPE
        with self._guardian.stdout as line:
            answer = line.readline().decode().strip()
        if not answer.isdigit():
            self.stop()
            raise ServerFailed(self.name, answer)
        self.pid = int(answer)

    def wait_until(self, ready: Callable[[], bool], *, within: timedelta = timedelta(seconds=60)) -> None:
        """Wait until the server answers; if it ends or does not answer, stop it.

        Raises:
            ServerEnded: it ended before it answered; with the end of its log.
            ServerFailed: it does not answer in time; likewise.
        """
        deadline = time.monotonic() + within.total_seconds()
        while not ready():
            if not self.is_running:
                self.stop()
                raise ServerEnded(self.name, "ended", self.end_of_log())
            if time.monotonic() > deadline:
                self.stop()
                raise ServerFailed(self.name, "does not answer", self.end_of_log())
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask the server to end, kill it if it does not, and wait until it is gone."""
        if self._guardian is None:
            return
        assert self._guardian.stdin  # noqa: S101 - Popen was given PIPE
        with suppress(BrokenPipeError), self._guardian.stdin as line:
            line.write(b".")  # closing is not enough: a fork of ours may hold the pipe too
        self._guardian.wait()
        self._guardian, self.pid = None, 0

    def end_of_log(self, lines: int = 12) -> str:
        """Return the last lines of the log; after a panic, the lines from the panic on, which hold the reason."""
        with suppress(FileNotFoundError):
            written = self.log.read_text(errors="replace").splitlines()
            panics = [number for number, line in enumerate(written) if line.startswith("panic:")]
            return "\n".join(written[panics[-1] :][:lines] if panics else written[-lines:])
        return ""


def _lock(folder: Path, name: str) -> Path:
    return folder.absolute() / f"{name}.lock"
