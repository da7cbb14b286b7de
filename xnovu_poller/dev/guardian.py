"""Run one server for as long as the program that started it lives, and no longer.

This file runs as a script, by path, so that it starts without our packages. It takes a lock that it holds
while the server runs, starts the server, prints its process id, and waits. When a byte or the end of its
standard input arrives, it stops the server. The input ends by itself when the program at the other end of
the pipe dies, for any reason: that is why this is a pipe and not a signal (`PR_SET_PDEATHSIG` exists only on
Linux and depends on the life of one thread).
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The server to run, and how to end it.

    Attributes:
        command: the server and its arguments.
        log: the file for the server's output; emptied first.
        lock: the file that is locked while the server runs.
        user: run the server as this user id; None for our own.
        group: run the server as this group id; None for our own.
        stop_signal: asks the server to end.
        patience_seconds: the time the server has to end before it is killed, and another holder to release the lock.
    """

    command: Sequence[str]
    log: str
    lock: str
    user: int | None
    group: int | None
    stop_signal: int
    patience_seconds: float


def acquire(lock: int, patience_seconds: float) -> bool:
    """Lock the file, and wait for an earlier server that is still stopping; return whether it succeeded."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def start(order: Order) -> subprocess.Popen[bytes]:
    """Start the server with its output in the log."""
    with open(order.log, "wb", buffering=0, opener=_open_private) as log:
        return subprocess.Popen(
            order.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            user=order.user,
            group=order.group,
            extra_groups=None if order.user is None else [],
        )


def main() -> None:
    """Start the server, and end with it or with the program that started us."""
    order = Order(**json.loads(sys.argv[1]))
    # A handler and not SIG_IGN, which the server would inherit.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _ignore)
    lock = os.open(order.lock, os.O_RDWR | os.O_CREAT, 0o600)
    if not acquire(lock, order.patience_seconds):
        sys.exit("another server of this name still runs in this folder; stop it first")
    try:
        server = start(order)
    except OSError as error:
        sys.exit(f"cannot be started: {error}")
    print(server.pid, flush=True)  # noqa: T201 - the program that started us waits for this line
    watch = threading.Thread(target=lambda: os._exit(server.wait() & 0xFF), daemon=True)
    watch.start()
    sys.stdin.buffer.read(1)
    server.send_signal(order.stop_signal)
    watch.join(order.patience_seconds)
    server.kill()
    watch.join()


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """Outlive a signal to the process group; the pipe then ends the server in order."""


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


if __name__ == "__main__":
    main()
