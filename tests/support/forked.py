"""Our commands as forks of a process that has imported them, so that a start does not cost seconds of CPU.

From its arguments and its environment on it is the real command, in its own process, which a test may kill.
"""

import ctypes
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Self

from tests.support.programs import ENVIRONMENT
from tests.support.waiting import WITHIN
from xnovu_poller.__main__ import main

# Temporal's SDK warns if a cancel arrives after the activity's end; as an error it would end the worker.
HARMLESS = ("Cannot find activity to cancel",)
_PR_SET_PDEATHSIG = 1
_FILES = 256
IMPORTED = (__name__, "xnovu_poller.__main__", "xnovu_poller.service.worker")


# The exit code of a child can be read from its pipe only once, and each start reads those of all children that have ended.
_CHILDREN = threading.Lock()


class Fork:
    """A running command, with the methods of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        output: Path,
        errors: Path | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """Start the command.

        Args:
            arguments: the arguments of `xnovu`.
            environment: its whole environment.
            output: the file for its standard output;
            errors: the file for its error output; None: the same file.
            prepare: a function of a module of ours that the new process calls first.
        """
        self._process = _server().Process(
            target=_run, args=(arguments, environment, output, errors or output, prepare)
        )
        with _CHILDREN:
            self._process.start()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        with _CHILDREN:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code, which is negative after a signal.

        Raises:
            TimeoutExpired: the command still runs.
        """
        wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("xnovu", timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal if it still runs."""
        if self.poll() is None:
            # It may have ended already, if the server has not written its exit code yet.
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        """Return the command itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the end."""
        self.wait()


def xnovu(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        with Fork(arguments, {**ENVIRONMENT, **environment}, output, errors) as command:
            try:
                code = command.wait(WITHIN)
            finally:
                command.kill()
        return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())


@cache
def _server() -> ForkServerContext:
    """Return the server that forks; it starts at the first fork and ends with this process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    return context


def _run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: Path,
    errors: Path,
    prepare: Callable[[], None] | None,
) -> None:
    """Become the command; it is killed at the end of the process from which it was forked, and so of the tests."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.closerange(3, _FILES)  # as a program would find them; one of them keeps that process alive
    os.setsid()
    with Path(os.devnull).open() as nothing, output.open("ab") as first, errors.open("ab") as second:
        os.dup2(nothing.fileno(), 0)
        os.dup2(first.fileno(), 1)
        os.dup2(second.fileno(), 2)
    os.environ.clear()  # noqa: TID251 - it is replaced, not read
    os.environ.update(environment)  # noqa: TID251
    time.tzset()
    tempfile.tempdir = None  # so that TMPDIR is read
    warnings.simplefilter("error")
    for message in HARMLESS:
        warnings.filterwarnings("default", re.escape(message))
    sys.argv = ["xnovu", *arguments]
    if prepare is not None:
        prepare()
    main()
