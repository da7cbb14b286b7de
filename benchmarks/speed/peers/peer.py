"""How a peer is measured: fill its queue, settle the database, drain it with a single process, count at the sink."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import LiteralString

import psycopg

from benchmarks.speed import exact
from benchmarks.speed.cpu import Meter, per_job
from benchmarks.speed.peers import node
from benchmarks.speed.peers.order import Order
from benchmarks.speed.scene import Figures, Scene, Sizes
from benchmarks.speed.sink import Sink
from benchmarks.speed.writes import Writes
from xnovu_poller.dev.children import Child

ROOT = Path(__file__).parents[3]

PATIENCE_SECONDS = 180
"""A peer that takes longer is too slow."""
_BEAT_SECONDS = 0.005


class PeerFailed(Exception):
    """A peer failed or was too slow, so it gets no figure."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A queue, and how to run it.

    Attributes:
        name: the prefix of its figures.
        package: the package to install; None if there is none.
        program: the file that fills and drains its queue, and an argument for it.
        left: SQL that returns whether unacknowledged jobs are left.
        jobs: how many jobs are timed.
    """

    name: str
    package: str | None
    program: tuple[str, ...]
    left: LiteralString
    jobs: Callable[[Sizes], int]

    @property
    def figure(self) -> str:
        """The name of its jobs/s."""
        return f"{self.name}_jobs_s"

    @property
    def in_node(self) -> bool:
        """Whether it runs on Node."""
        return self.program[0].endswith(".mjs")

    @property
    def knobs(self) -> str:
        """How it is run: the first line of its program."""
        with (node.FOLDER / self.program[0]).open() as lines:
            return next(lines).strip(' /"\n')

    def version(self) -> str | None:
        """Return the version of its package; None if it has no package.

        Raises:
            NotInstalled: it is not installed and cannot be.
        """
        if self.package is None:
            return None
        if self.in_node:
            return node.version(self.package)
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError as missing:
            raise node.NotInstalled(f"the package {self.package} is missing") from missing

    def command(self, step: str, path: Path) -> list[str | Path]:
        """Return the command line of a step.

        Raises:
            NotInstalled: Node is missing.
        """
        program, *arguments = self.program
        if self.in_node:
            return [node.node(), node.FOLDER / program, step, path, *arguments]
        module = f"benchmarks.speed.peers.{program.removesuffix('.py')}"
        return [sys.executable, "-m", module, step, path, *arguments]

    async def measure(self, scene: Scene) -> Figures:
        """Time a worker that drains a backlog, from the arrival number `warm` until all jobs are acknowledged.

        CPU time is of that part, and writes are of the whole backlog.

        Raises:
            NotInstalled: it is not installed and cannot be.
            PeerFailed: its queue could not be filled, or it ended, or it was too slow.
            Inexact: a job did not arrive exactly once.
        """
        warm, jobs = scene.sizes.warm, self.jobs(scene.sizes)
        order = await self.filled(scene, warm + jobs)
        await asyncio.to_thread(scene.settle, order.database)
        before = Writes.read(order.database)
        database = await psycopg.AsyncConnection.connect(order.database, autocommit=True)
        async with database, self.draining(scene, order) as worker:
            await _arrived(scene.sink, worker, warm)
            meter = Meter({"worker": worker.pid, **scene.pids})
            await _arrived(scene.sink, worker, order.jobs)
            end, spent = await self._acknowledged(database), meter.spent()
        await exact.check(scene.sink, order.names())
        costs = per_job(spent, self.name, jobs)
        costs |= Writes.read(order.database).per_job(before, self.name, order.jobs)
        return {self.figure: jobs / (end - await scene.sink.until(warm)), **costs}

    async def filled(self, scene: Scene, jobs: int) -> Order:
        """Create its database, and fill its queue; the sink is empty.

        Raises:
            NotInstalled, PeerFailed: as in `measure`.
        """
        self.version()
        if self.in_node:
            await asyncio.to_thread(node.install)
        order = Order(await scene.database(self.name, migrated=False), scene.sink.url, jobs)
        await asyncio.to_thread(self.run_step, "fill", order, scene.folder)
        await scene.sink.reset()
        return order

    def run_step(self, step: str, order: Order, folder: Path) -> str:
        """Run a step of its program that ends; return its output.

        Raises:
            PeerFailed: the step does not end, or fails.
        """
        path = folder / f"{self.name}-{step}.json"
        order.write(path)
        try:
            return subprocess.run(  # noqa: S603 - our own arguments
                self.command(step, path),
                cwd=ROOT,
                check=True,
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
            ).stdout
        except subprocess.TimeoutExpired as late:
            raise PeerFailed(f"{self.name}, {step}: does not end") from late
        except subprocess.CalledProcessError as failed:
            raise PeerFailed(f"{self.name}, {step}: {failed.stderr[-1500:]}") from failed

    @asynccontextmanager
    async def draining(self, scene: Scene, order: Order) -> AsyncIterator[Child]:
        """Run its worker as long as the context lasts, for at most `PATIENCE_SECONDS`.

        Raises:
            PeerFailed: it is too slow.
        """
        path = scene.folder / f"{self.name}-drain.json"
        order.write(path)
        command, environment = self.command("drain", path), {"PYTHONPATH": str(ROOT)}
        worker = Child(self.name, command, folder=scene.folder, environment=environment)
        await asyncio.to_thread(worker.start)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                yield worker
        except TimeoutError as late:
            raise PeerFailed(f"{self.name} is too slow; the end of its log:\n{worker.end_of_log()}") from late
        finally:
            await asyncio.to_thread(worker.stop)

    async def _acknowledged(self, database: psycopg.AsyncConnection) -> float:
        """Wait until no job is left; return the moment."""
        while True:
            found = await (await database.execute(self.left)).fetchone()
            if found == (False,):
                return time.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)


async def _arrived(sink: Sink, worker: Child, total: int) -> None:
    """Wait until this number of jobs has arrived.

    Raises:
        PeerFailed: the worker has ended before.
    """
    arrival = asyncio.ensure_future(sink.until(total))
    try:
        while not (await asyncio.wait([arrival], timeout=1))[0]:
            if not worker.is_running:
                raise PeerFailed(f"{worker.name} ended; the end of its log:\n{worker.end_of_log()}")
    finally:
        arrival.cancel()
