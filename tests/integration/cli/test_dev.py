"""`xnovu dev`: it prints what to copy, stays, and leaves nothing behind."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import commanded, is_alive, kill, read_until
from tests.support.waiting import wait_until
from xnovu_poller.dev.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """The stack that the command runs."""
    stack = Stack(tmp_path / "stack")
    yield stack
    stack.stop()
    stack.erase()


def guarded_by(owner: int) -> list[int]:
    """Return the servers of a process: the children of its children, which are guardians."""
    return [server for guardian in children_of(owner) for server in children_of(guardian)]


def children_of(parent: int) -> list[int]:
    """Return the ids of a process's children, from the kernel."""
    listed = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(pid) for file in listed for pid in file.read_text().split()]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_xnovu_dev_stops_everything_on_a_signal(stack: Stack, how: signal.Signals) -> None:
    """It prints what to copy, stays, and stops all its servers cleanly."""
    with commanded("dev", "--folder", stack.folder) as command:
        lines = read_until(command, "xnovu worker start")
        assert f"export TEMPORAL_ADDRESS={Stack(stack.folder).environment['TEMPORAL_ADDRESS']}" in lines
        servers = guarded_by(command.pid)
        assert len(servers) == 3
        command.send_signal(how)
        read_until(command, "stopped")
        assert command.wait() == 0
    assert not any(is_alive(pid) for pid in servers)


def test_a_killed_xnovu_dev_leaves_no_server(stack: Stack) -> None:
    """SIGKILL ends the servers too, and the next start succeeds."""
    with commanded("dev", "--folder", stack.folder) as command:
        read_until(command, "xnovu worker start")
        servers = guarded_by(command.pid)
        kill(command)
    wait_until(lambda: not any(is_alive(pid) for pid in servers))
    stack.start()


def test_a_second_xnovu_dev_reports_the_first(stack: Stack) -> None:
    """The person reads a sentence, not a traceback."""
    stack.start()
    with commanded("dev", "--folder", stack.folder) as command:
        lines = read_until(command, "already runs")
        assert command.wait() == 1
    assert not any("Traceback" in line for line in lines)
