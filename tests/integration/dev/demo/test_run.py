"""A run that does not complete: it reports the reason, and leaves nothing behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from tests.support.programs import is_alive
from xnovu_poller.dev.children import ServerFailed
from xnovu_poller.dev.demo.run import Demo
from xnovu_poller.dev.stack import Stack


class Interrupter:
    """Acts on a running demo once it reports a certain step."""

    def __init__(self, step: str) -> None:
        """Choose the step by its first word."""
        self.step = step
        self.demo: Demo | None = None
        self.pids: dict[str, int] = {}

    def __call__(self, doing: str, _done: int = 0, _of: int | None = None, /) -> None:
        """Act once, at the step."""
        if self.demo is not None and doing.startswith(self.step) and not self.pids:
            self.pids = {server.name: server.pid for server in self.demo.servers}
            self.act()

    def act(self) -> None:
        """Interrupt, as Ctrl-C does."""
        raise KeyboardInterrupt


class Killer(Interrupter):
    """Kills the stand-in."""

    @override
    def act(self) -> None:
        """End it as a crash would."""
        os.kill(self.pids["novu-standin"], signal.SIGKILL)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A stack's folder, erased afterwards."""
    yield tmp_path / "demo"
    Stack(tmp_path / "demo").erase()


@pytest.mark.parametrize("step", ["Loading", "Starting the worker"])
def test_an_interrupted_run_leaves_nothing(folder: Path, step: str) -> None:
    """Every server that was started is stopped, the worker first."""
    interrupter = Interrupter(step)
    interrupter.demo = Demo(folder, interrupter)
    with pytest.raises(KeyboardInterrupt):
        interrupter.demo.run()
    assert {"postgres", "temporal", "novu-standin"} <= interrupter.pids.keys()
    assert not any(is_alive(pid) for pid in interrupter.pids.values())


def test_a_server_that_ends_is_named(folder: Path) -> None:
    """The run does not wait in vain."""
    killer = Killer("Inserting")
    killer.demo = Demo(folder, killer)
    with pytest.raises(ServerFailed, match="novu-standin"):
        killer.demo.run()
    assert not any(is_alive(pid) for pid in killer.pids.values())
