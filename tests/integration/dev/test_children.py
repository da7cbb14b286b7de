"""Children die with us, and are stopped cleanly."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import first_line, is_alive, kill, running
from tests.support.waiting import wait_until
from xnovu_poller.dev.children import Child, ServerEnded, ServerFailed, start_again

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
TALKATIVE = "import os, time; print(sorted(os.environ), flush=True); time.sleep(600)"
OWNER = """
import sys
from pathlib import Path
from xnovu_poller.dev.children import Child
child = Child("sleeper", ["/bin/sleep", "600"], folder=Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Child]:
    """A child that does nothing for a long time."""
    child = Child("sleeper", ["/bin/sleep", "600"], folder=tmp_path)
    yield child
    child.stop()


def test_a_stopped_child_is_gone(sleeper: Child) -> None:
    """When `stop` returns no process is left."""
    sleeper.start()
    pid = sleeper.pid
    assert is_alive(pid)
    assert sleeper.is_running
    sleeper.stop()
    assert not is_alive(pid)
    assert not sleeper.is_running


def test_stopping_twice_is_harmless(sleeper: Child) -> None:
    """A second stop does nothing, nor does a stop before the first start."""
    sleeper.stop()
    sleeper.start()
    sleeper.stop()
    sleeper.stop()


def test_a_child_that_ends_by_itself_is_not_running(tmp_path: Path) -> None:
    """The guardian ends with its server."""
    child = Child("brief", ["/bin/sh", "-c", "echo a last word; exit 3"], folder=tmp_path)
    child.start()
    wait_until(lambda: not child.is_running)
    assert child.end_of_log() == "a last word"
    child.stop()


def test_a_child_that_never_answers_fails_with_its_last_words(tmp_path: Path) -> None:
    """The error has the reason why the child is not ready."""
    child = Child("brief", ["/bin/sh", "-c", "echo no such shop; exit 3"], folder=tmp_path)
    child.start()
    with pytest.raises(ServerFailed, match=r"brief: ended; the end of its log:\nno such shop"):
        child.wait_until(lambda: False)


def test_a_command_that_does_not_exist_fails(tmp_path: Path) -> None:
    """The guardian reports the reason."""
    child = Child("ghost", [tmp_path / "ghost"], folder=tmp_path)
    with pytest.raises(ServerFailed, match="ghost: cannot be started"):
        child.start()


def test_a_child_dies_with_its_owner(tmp_path: Path) -> None:
    """SIGKILL of the owner leaves no child behind."""
    with running(OWNER, tmp_path) as owner:
        pid = int(first_line(owner))
        assert is_alive(pid)
        kill(owner)
        wait_until(lambda: not is_alive(pid))


def test_a_child_inherits_no_variable_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in our environment stays there."""
    monkeypatch.setenv("NOVU_SECRET_KEY", "not for a server's eyes")
    child = Child("talkative", [sys.executable, "-c", TALKATIVE], folder=tmp_path)
    child.start()
    wait_until(child.end_of_log)
    child.stop()
    assert child.end_of_log() == "['LC_ALL', 'PATH']"


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop does not wait for ever."""
    child = Child("deaf", [sys.executable, "-c", STUBBORN], folder=tmp_path, patience_seconds=0.2)
    child.start()
    wait_until(lambda: child.end_of_log() == "deaf")
    pid = child.pid
    child.stop()
    assert not is_alive(pid)


def test_a_second_child_of_the_same_name_is_refused(sleeper: Child, tmp_path: Path) -> None:
    """A folder has at most one running server of a name."""
    sleeper.start()
    second = Child("sleeper", ["/bin/sleep", "600"], folder=tmp_path, patience_seconds=0.2)
    with pytest.raises(ServerFailed, match="another server of this name still runs in this folder"):
        second.start()
    assert sleeper.is_running


def test_a_start_waits_for_a_child_that_is_stopping(tmp_path: Path) -> None:
    """The successor of a killed owner does not conflict with its child."""
    with running(OWNER, tmp_path) as owner:
        first = int(first_line(owner))
        kill(owner)
        successor = Child("sleeper", ["/bin/sleep", "600"], folder=tmp_path)
        successor.start()
        assert not is_alive(first)
        successor.stop()


def test_a_signal_to_the_group_does_not_end_the_guardian(sleeper: Child) -> None:
    """Servers are stopped by their owner, in order, and not by the first signal."""
    sleeper.start()
    guardian = os.getpgid(sleeper.pid)
    os.kill(guardian, signal.SIGTERM)
    os.kill(guardian, signal.SIGINT)
    assert sleeper.is_running
    pid = sleeper.pid
    sleeper.stop()
    assert not is_alive(pid)


def test_a_server_that_loses_its_port_is_started_again(tmp_path: Path) -> None:
    """The first start finds its port in use and ends; the second start succeeds."""
    unlucky = "[ -e taken ] && exec /bin/sleep 600; touch taken; exit 1"
    child = Child("unlucky", ["/bin/sh", "-c", f"cd {tmp_path}; {unlucky}"], folder=tmp_path)
    starts: list[int] = []

    def start() -> None:
        child.start()
        starts.append(child.pid)
        child.wait_until(lambda: len(starts) == 2)

    start_again(start)
    assert child.is_running
    child.stop()


def test_a_server_that_always_ends_is_given_up(tmp_path: Path) -> None:
    """The error has the log's end of the last start; after a panic it begins with the panic."""
    panic = "echo before; echo 'panic: no port'; for i in $(seq 30); do echo trace; done; exit 2"
    child = Child("doomed", ["/bin/sh", "-c", panic], folder=tmp_path)
    starts: list[int] = []

    def start() -> None:
        child.start()
        starts.append(child.pid)
        child.wait_until(lambda: False)

    with pytest.raises(ServerEnded, match="ended; the end of its log:\npanic: no port\n"):
        start_again(start)
    assert len(starts) == 3
