"""A guardian reports what it started, and ends its server when its pipe closes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.support.programs import first_line, is_alive
from xnovu_poller.dev import guardian


@contextmanager
def guarding(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a guardian as `Child` does; the test holds its pipe."""
    order = guardian.Order(
        command=command,
        log=str(folder / "log"),
        lock=str(folder / "lock"),
        user=None,
        group=None,
        stop_signal=signal.SIGTERM,
        patience_seconds=5,
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", guardian.__file__, json.dumps(asdict(order))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        yield child


def test_the_end_of_the_pipe_ends_the_server(tmp_path: Path) -> None:
    """Nothing has to be written, because the owner may have died."""
    with guarding(tmp_path, "/bin/sleep", "600") as child:
        server = int(first_line(child))
        assert is_alive(server)
        assert child.stdin
        child.stdin.close()
        child.wait()
    assert not is_alive(server)


def test_a_guardian_ends_with_its_servers_exit_code(tmp_path: Path) -> None:
    """So the owner can see how the server ended."""
    with guarding(tmp_path, "/bin/sh", "-c", "exit 3") as child:
        assert int(first_line(child)) > 0
        assert child.wait() == 3


def test_only_we_can_read_the_servers_log(tmp_path: Path) -> None:
    """Other users cannot read the log, and each start clears it."""
    (tmp_path / "log").touch(mode=0o600)
    (tmp_path / "log").write_text("of yesterday")
    with guarding(tmp_path, "/bin/echo", "of today") as child:
        child.wait()
    assert (tmp_path / "log").read_text() == "of today\n"
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_only_one_process_at_a_time_holds_a_lock(tmp_path: Path) -> None:
    """The second is refused when its time is over, and succeeds once the first has released it."""
    first, second = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600) for _ in range(2))
    assert guardian.acquire(first, patience_seconds=0)
    assert not guardian.acquire(second, patience_seconds=0)
    os.close(first)
    assert guardian.acquire(second, patience_seconds=0)
    os.close(second)
