"""Small programs of the tests in their own processes, which a test can kill or run as another user."""

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PATH": os.defpath, "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"}
COMMAND = (sys.executable, "-m", "xnovu_poller")


@contextmanager
def running(
    program: str, *arguments: str | Path, python: str = sys.executable, user: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run Python source in its own session; kill it afterwards if it still runs."""
    child = subprocess.Popen(
        [python, "-W", "error", "-c", program, *map(str, arguments)],
        cwd="/",
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        user=user,
        start_new_session=True,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


@contextmanager
def commanded(
    *arguments: str | Path, program: Sequence[str] = COMMAND, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Run `xnovu` as a person does, with readable output; kill it afterwards if it still runs."""
    with subprocess.Popen(
        [*program, *map(str, arguments)],
        env={**ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def read_until(child: subprocess.Popen[str], words: str) -> list[str]:
    """Read the output up to a line that contains the words; return the lines."""
    assert child.stdout
    lines: list[str] = []
    for line in child.stdout:
        lines.append(line.strip())
        if words in line:
            return lines
    pytest.fail("\n".join(lines))


def first_line(child: subprocess.Popen[str]) -> str:
    """Wait for the first line of output and return it; it is empty if the program ended instead."""
    assert child.stdout
    return child.stdout.readline().strip()


def is_alive(pid: int) -> bool:
    """Return whether a process with this id exists."""
    assert pid > 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def children_of(parent: int) -> list[int]:
    """Return the ids of a process's children, from the kernel; a thread may end meanwhile, and so may the process."""
    found: list[int] = []
    for file in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, file.read_text().split())
    return found


def kill(child: subprocess.Popen[str]) -> None:
    """End the program at once, as a crash would."""
    child.send_signal(signal.SIGKILL)
    child.wait()
