"""`xnovu dev`: it prints what to copy, stays, and leaves nothing behind."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.house import sources
from tests.support.paging import form_token
from tests.support.programs import children_of, commanded, is_alive, kill, read_until
from tests.support.waiting import wait_until
from xnovu_poller.dev.stack import Stack

README = sources.text(Path("README.md"))


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


def assert_served(printed: str) -> None:
    """Make sure that the page and the API are at the printed address, and that they take the password and the key."""
    found = re.search(r"Operator's page +(\S+) +password: (\S+)", printed)
    key = re.search(r"export XNOVU_API_KEY=(\S+)", printed)
    sent = re.search(r"curl --json '(.+?)'", README)
    assert found is not None
    assert key is not None
    assert sent is not None
    with httpx.Client(base_url=found[1], trust_env=False, timeout=60) as client:
        form = {"name": "ann", "password": found[2], "form_token": form_token(client.get("/login"))}
        assert client.post("/login", data=form, headers={"Origin": found[1]}).headers["Location"] == "/"
        assert client.get("/").status_code == 200
        answer = client.post(
            "/api/notifications",
            content=sent[1],
            headers={"Authorization": f"Bearer {key[1]}", "Content-Type": "application/json"},
        )
        # There is no such workflow yet.
        assert answer.status_code == 422, answer.text
        assert "order-shipped" in answer.text


def test_xnovu_dev_stops_everything_on_ctrl_c(stack: Stack) -> None:
    """It prints what to copy, stays, and stops all its servers cleanly; `test_wheel.py` does the same by SIGTERM."""
    with commanded("dev", "--folder", stack.folder) as command:
        lines = read_until(command, "xnovu worker start")
        assert f"export TEMPORAL_ADDRESS={Stack(stack.folder).environment['TEMPORAL_ADDRESS']}" in lines
        servers = guarded_by(command.pid)
        assert len(servers) == 4
        assert_served("\n".join(lines))
        command.send_signal(signal.SIGINT)
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
