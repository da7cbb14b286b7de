"""Further processes beside the worker: Python runs workflow tasks on only one core per process."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xnovu_poller import log, metrics
from xnovu_poller.metrics.combined import CombinedMetrics
from xnovu_poller.pacing import unless_stopped
from xnovu_poller.settings import child_environment

_log = log.get(__name__)

PROGRAM = (sys.executable, "-m", "xnovu_poller")
COMMAND = (*PROGRAM, "worker", "execute")
"""The command of a child, which stops when its standard input ends."""


class ChildProcesses:
    """Keeps executor processes running beside the worker, or further processes beside the first of the API.

    Guarantee: a child ends when asked to, and also when the worker dies, even by SIGKILL, because each child reads a
    pipe whose other end the worker holds.

    Args:
        count: number of children; may be 0.
        patience: a child that runs this long after a stop is killed, and its notifications are rescued.
        pause: the time between the unexpected end of a child and its restart.
        temporal_port: where Temporal's SDK serves the metrics of this process; each child has one of the next ports.
        command: what a child runs.
        files: the numbers of open files that the children share.
    """

    def __init__(
        self,
        count: int,
        *,
        patience: timedelta,
        pause: timedelta = timedelta(seconds=2),
        temporal_port: int | None = None,
        command: Sequence[str] = COMMAND,
        files: Sequence[int] = (),
    ) -> None:
        self._command = command
        self._files = files
        self._patience = patience
        self._temporal_port = temporal_port
        self._pause = pause
        self._stopping = asyncio.Event()
        self._children: list[Process | None] = [None] * count
        self._restarts = 0
        self._environment: dict[str, str] = {}

    @contextmanager
    def combined_metrics(self) -> Iterator[metrics.Source]:
        """Yield the metrics of this process plus those of the children, for /metrics."""
        if not self._children:
            yield metrics.REGISTRY
            return
        with TemporaryDirectory(prefix="xnovu-metrics-") as folder:
            self._environment = {metrics.FOLDER_VARIABLE: folder}
            yield CombinedMetrics(Path(folder))

    async def run(self) -> None:
        """Keep the children alive until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            for index in range(len(self._children)):
                tasks.create_task(self._keep(index), name=f"executor-{index + 2}")
            await self._stopping.wait()

    def stop(self) -> None:
        """Let every child finish its running work; `run` returns when all have ended."""
        self._stopping.set()

    @property
    def complete(self) -> bool:
        """Whether every child is alive."""
        return None not in self._children

    def status(self) -> dict[str, Any]:
        """Describe the children for /status."""
        return {
            "wanted": len(self._children),
            "running": len(self._children) - self._children.count(None),
            "restarts": self._restarts,
        }

    async def _keep(self, index: int) -> None:
        while not self._stopping.is_set():
            child = await asyncio.create_subprocess_exec(
                *self._command,
                pass_fds=self._files,
                stdin=PIPE,
                env=child_environment(**self._environment, **self._own_port(index)),
                start_new_session=True,  # Ctrl-C is for the worker, which then stops the children in order
            )
            self._children[index] = child
            try:
                await unless_stopped(self._stopping, child.wait())
                if self._stopping.is_set():
                    await self._end(child)
                    return
            finally:
                self._children[index] = None
            _log.warning("executor ended by itself", pid=child.pid, exit_code=child.returncode)
            self._restarts += 1
            await unless_stopped(self._stopping, asyncio.sleep(self._pause.total_seconds()))

    def _own_port(self, index: int) -> dict[str, str]:
        """Return the variable of the port that this child serves; its replacement gets the same."""
        port = self._temporal_port
        return {} if port is None else {"TEMPORAL_METRICS_PORT": str(port + index + 1)}

    async def _end(self, child: Process) -> None:
        """Close the pipe, which stops the child, and wait until it has ended."""
        assert child.stdin  # noqa: S101 - it was started with PIPE
        child.stdin.close()
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await child.wait()
        except TimeoutError:
            _log.warning("executor killed", pid=child.pid)
            child.kill()
            await child.wait()
