"""A guardian says what it started, and ends its server with the line."""

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
    """Run a guardian as `Child` does; its line is held by the test."""
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


def test_the_end_of_the_line_ends_the_server(tmp_path: Path) -> None:
    """Nothing needs to be written: whoever held the line may have died."""
    with guarding(tmp_path, "/bin/sleep", "600") as child:
        server = int(first_line(child))
        assert is_alive(server)
        assert child.stdin
        child.stdin.close()
        child.wait()
    assert not is_alive(server)


def test_a_guardian_ends_as_its_server_does(tmp_path: Path) -> None:
    """Its exit code is the server's."""
    with guarding(tmp_path, "/bin/sh", "-c", "exit 3") as child:
        assert int(first_line(child)) > 0
        assert child.wait() == 3


def test_what_the_server_says_is_in_the_log_for_us_alone(tmp_path: Path) -> None:
    """The log is closed to other users, and begins anew."""
    (tmp_path / "log").touch(mode=0o600)
    (tmp_path / "log").write_text("of yesterday")
    with guarding(tmp_path, "/bin/echo", "of today") as child:
        child.wait()
    assert (tmp_path / "log").read_text() == "of today\n"
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_is_taken_by_one_at_a_time(tmp_path: Path) -> None:
    """The second is told no once its patience ends, and yes when the first let go."""
    first, second = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600) for _ in range(2))
    assert guardian.acquire(first, patience_seconds=0)
    assert not guardian.acquire(second, patience_seconds=0)
    os.close(first)
    assert guardian.acquire(second, patience_seconds=0)
    os.close(second)
