"""Further processes that execute only: Python carries out workflow tasks on one core a process."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xnovu_poller import log, metrics
from xnovu_poller.lifecycle import seconds
from xnovu_poller.service.parts import unless
from xnovu_poller.settings import child_environment

_log = log.get(__name__)

COMMAND = (sys.executable, "-m", "xnovu_poller", "worker", "execute")
"""What a child runs: it stops when its standard input ends."""


class Executors:
    """Keeps child processes that carry out workflows beside us.

    Guarantee: a child ends when it is asked to, and when we die, SIGKILL included: each holds one end of
    a pipe whose other end is ours.

    Args:
        count: how many; none is a fair answer.
        patience: a child that has not ended so long after a stop is killed; its work is rescued.
        pause: between the unexpected end of a child and its successor.
    """

    def __init__(self, count: int, *, patience: timedelta, pause: timedelta = timedelta(seconds=2)) -> None:
        self._patience = patience
        self._pause = pause
        self._stopping = asyncio.Event()
        self._children: list[Process | None] = [None] * count
        self._restarts = 0
        self._environment: dict[str, str] = {}

    @contextmanager
    def counting(self) -> Iterator[metrics.Counts]:
        """Give our metrics, with those of the children added."""
        if not self._children:
            yield metrics.REGISTRY
            return
        with TemporaryDirectory(prefix="xnovu-metrics-") as folder:
            self._environment = {metrics.FOLDER_VARIABLE: folder}
            yield metrics.Whole(Path(folder))

    async def run(self) -> None:
        """Keep the children alive until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            for place in range(len(self._children)):
                tasks.create_task(self._keep(place), name=f"executor-{place + 2}")
            await self._stopping.wait()

    def stop(self) -> None:
        """Let every child end what is under way; `run` returns when all are gone."""
        self._stopping.set()

    @property
    def complete(self) -> bool:
        """Whether every child lives."""
        return None not in self._children

    def status(self) -> dict[str, Any]:
        """Tell which children live, for /status."""
        return {
            "wanted": len(self._children),
            "pids": [child.pid for child in self._children if child is not None],
            "restarts": self._restarts,
        }

    async def _keep(self, place: int) -> None:
        """Keep one child alive."""
        while not self._stopping.is_set():
            child = await asyncio.create_subprocess_exec(
                *COMMAND,
                stdin=PIPE,
                env=child_environment(**self._environment),
                start_new_session=True,  # Ctrl-C is for us; the children are then stopped in order
            )
            self._children[place] = child
            try:
                await unless(self._stopping, child.wait())
                if self._stopping.is_set():
                    await self._end(child)
                    return
            finally:
                self._children[place] = None
            _log.warning("executor ended by itself", pid=child.pid, exit_code=child.returncode)
            self._restarts += 1
            await unless(self._stopping, asyncio.sleep(seconds(self._pause)))

    async def _end(self, child: Process) -> None:
        """Close the pipe, which stops the child, and see it gone."""
        assert child.stdin  # noqa: S101 - it was given PIPE
        child.stdin.close()
        try:
            async with asyncio.timeout(seconds(self._patience)):
                await child.wait()
        except TimeoutError:
            _log.warning("executor killed", pid=child.pid)
            child.kill()
            await child.wait()
