"""`xnovu demo`: the whole system at work, a verdict, and nothing left behind."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.programs import commanded, is_alive, read_until
from tests.support.waiting import wait_until
from xnovu_poller.dev.stack import Stack

SERVERS = {"postgres", "temporal", "novu-standin", "worker"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a place for temporary folders; what is left there is forgotten, rows elsewhere included."""
    yield tmp_path
    for left in tmp_path.iterdir():
        Stack(left).erase()


def demo(folder: Path) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run `xnovu demo`, its temporary folder within another one."""
    return commanded("demo", TMPDIR=str(folder), MAX_FAILURES="not for the demo")


def all_said(command: subprocess.Popen[str]) -> str:
    """Read what it prints up to its end."""
    assert command.stdout
    return command.stdout.read()


def descendants(parent: int) -> list[int]:
    """Ask the kernel for a process's children, and theirs."""
    listed = Path(f"/proc/{parent}/task").glob("*/children")
    children = [int(pid) for file in listed for pid in file.read_text().split()]
    return [*children, *(pid for child in children for pid in descendants(child))]


def only_folder(folder: Path) -> Path:
    """Give the folder that the demo has made."""
    (made,) = folder.iterdir()
    return made


def test_the_demo_delivers_all_and_says_so(folder: Path) -> None:
    """Every sample is in its expected state, and every recipient was reached once."""
    with demo(folder) as command:
        read_until(command, "Inserting")
        processes = descendants(command.pid)
        text = all_said(command)
        assert command.wait() == 0, text
    assert "Everything is as expected" in text
    assert not any(is_alive(pid) for pid in processes)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_demo_stopped_midway_leaves_nothing(folder: Path, how: signal.Signals) -> None:
    """No process, no folder, and no rows where an unprivileged PostgreSQL keeps them."""
    with demo(folder) as command:
        read_until(command, "Inserting")
        processes = descendants(command.pid)
        assert {log.stem for log in only_folder(folder).rglob("*.log")} == SERVERS
        rows = (only_folder(folder) / "postgres" / "cluster").resolve()
        command.send_signal(how)
        text = all_said(command)
        assert command.wait() == 128 + how
    assert "Traceback" not in text
    assert not any(is_alive(pid) for pid in processes)
    assert list(folder.iterdir()) == []
    assert not rows.exists()


def test_a_demo_whose_worker_dies_fails_and_keeps_its_folder(folder: Path) -> None:
    """The person reads what died, and where to look."""
    with demo(folder) as command:
        read_until(command, "Inserting")
        processes = descendants(command.pid)
        (worker,) = (pid for pid in processes if b"worker\0start\0" in command_line(pid))
        os.kill(worker, signal.SIGKILL)
        text = all_said(command)
        assert command.wait() == 1
    assert "worker: ended" in text
    assert str(only_folder(folder)) in text
    assert "Traceback" not in text
    wait_until(lambda: not any(is_alive(pid) for pid in processes))


def command_line(pid: int) -> bytes:
    """Give a process's command, each part ended by a zero."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()
