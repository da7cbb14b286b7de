"""Keeps one server alive for as long as the program that asked for it lives, and not a moment longer.

Run as a script of its own, by path, so that it starts without our packages. It holds a lock for as long as
the server lives, starts the server, says its process id, and waits. Once a byte, or the end of the line,
arrives on its standard input, it stops the server. The line ends by itself when the program at its other
end dies, of whatever cause: that is why a pipe is used, and not a signal (`PR_SET_PDEATHSIG` is Linux's
alone and is bound to the life of one thread).
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
    """What to run and how to end it.

    Attributes:
        command: the server and its arguments.
        log: the file that takes the server's output, emptied first.
        lock: the file that is locked while the server lives.
        user: run the server as this user id; None: as ourselves.
        group: run the server as this group id; None: as ourselves.
        stop_signal: asks the server to end.
        patience_seconds: how long it may take before it is killed, or before another holder must have let go.
    """

    command: Sequence[str]
    log: str
    lock: str
    user: int | None
    group: int | None
    stop_signal: int
    patience_seconds: float


def take(lock: int, patience_seconds: float) -> bool:
    """Lock the file, waiting for a server of before that is still on its way out."""
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


def begin(order: Order) -> subprocess.Popen[bytes]:
    """Start the server, its output in the log."""
    with open(order.log, "wb", buffering=0, opener=_private) as log:
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
    """Start the server, and end with it or with whoever asked for it."""
    order = Order(**json.loads(sys.argv[1]))
    # A handler, not SIG_IGN: the server would inherit that.
    for meant_for_the_server in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(meant_for_the_server, _stay)
    lock = os.open(order.lock, os.O_RDWR | os.O_CREAT, 0o600)
    if not take(lock, order.patience_seconds):
        sys.exit("another one still runs in this folder")
    try:
        server = begin(order)
    except OSError as error:
        sys.exit(f"cannot be started: {error}")
    print(server.pid, flush=True)  # noqa: T201 - the answer that whoever asked waits for
    watch = threading.Thread(target=lambda: os._exit(server.wait() & 0xFF), daemon=True)
    watch.start()
    sys.stdin.buffer.read(1)
    server.send_signal(order.stop_signal)
    watch.join(order.patience_seconds)
    server.kill()
    watch.join()


def _stay(_signal: int, _frame: FrameType | None) -> None:
    """Outlive a signal to the whole group: the server is ended in order, by the line."""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


if __name__ == "__main__":
    main()
