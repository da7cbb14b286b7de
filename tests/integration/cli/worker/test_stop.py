"""A worker in the background: started, asked, restarted and stopped by its pid file."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.forked import xnovu
from tests.support.ports import reserved_port
from tests.support.postgres import as_worker
from tests.support.programs import ROOT
from tests.support.worker import QUICK
from xnovu_poller.cli.worker.pid_file import read, read_options


@pytest.fixture
def background(tmp_path: Path, worker_environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield the environment of a worker in the background, which is killed at the end if it runs."""
    with reserved_port() as port:
        found = {**QUICK, **worker_environment, "WORKER_HEALTH_PORT": str(port)}
        yield {**found, "DATABASE_URL": as_worker(found["DATABASE_URL"]), "PYTHONPATH": str(ROOT)}
    if (running := read(tmp_path / "pid")) is not None:
        with suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGKILL)


def test_a_worker_in_the_background(tmp_path: Path, background: dict[str, str]) -> None:
    """It outlives the command that started it; a restart gives another process, a stop none."""
    files = ("--pid-file", str(tmp_path / "pid"), "--log-file", str(tmp_path / "log"))
    started = xnovu("worker", "start", "--detach", *files, "--enterprises", "acme", **background)
    first = read(tmp_path / "pid")
    assert first
    assert f"The worker runs as process {first.pid}" in started.stdout

    again = xnovu("worker", "start", "--detach", *files, **background)
    assert again.returncode == 1
    assert f"worker: runs already as process {first.pid}; stop it first" in again.stderr

    asked = xnovu("daemon", "status", "--json", **background)
    assert json.loads(asked.stdout)["components"].keys() >= {"database", "worker"}

    refused = xnovu("worker", "restart", *files, "--log-level", "loud", **background)
    assert (refused.returncode, first.alive) == (2, True)
    restarted = xnovu("worker", "restart", *files[:2], "--log-level", "debug", "--json", **background)
    second = read(tmp_path / "pid")
    assert second
    assert read_options(tmp_path / "pid") == {
        "enterprises": "acme",
        "log_file": files[3],
        "log_level": "debug",
    }
    assert json.loads(restarted.stdout)["pid"] == second.pid
    assert (second.pid != first.pid, first.alive) == (True, False)

    stopped = xnovu("worker", "stop", *files[:2], **background)
    assert (stopped.returncode, second.alive) == (0, False)
    assert f"The worker, process {second.pid}, has stopped." in stopped.stdout
    assert (tmp_path / "log").read_text().count('"health served"') == 2
    assert not (tmp_path / "pid").exists()


def test_without_a_worker_there_is_nothing_to_stop(tmp_path: Path) -> None:
    """Nothing is looked for by name."""
    stopped = xnovu("worker", "stop", "--pid-file", str(tmp_path / "pid"))

    assert stopped.returncode == 1
    assert "names no running worker; name its file with --pid-file" in stopped.stderr


def test_a_start_that_fails_in_the_background_is_seen(tmp_path: Path, background: dict[str, str]) -> None:
    """The command waits until the worker listens, and names the file with the reason."""
    files = ("--pid-file", str(tmp_path / "pid"), "--log-file", str(tmp_path / "log"))
    with socket.create_server(("127.0.0.1", int(background["WORKER_HEALTH_PORT"]))):
        started = xnovu("worker", "start", "--detach", *files, **background)

    assert started.returncode == 1
    assert f"worker: ended with exit code 2; the reason is in {tmp_path / 'log'}" in started.stderr
    assert "WORKER_HEALTH_PORT: cannot listen on" in (tmp_path / "log").read_text()
