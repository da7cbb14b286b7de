"""How fast a backlog is drained: the clock runs from the arrival number `warm` until all rows are SENT."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from benchmarks.speed import exact, rows, worker
from benchmarks.speed.cpu import Meter, per_job
from benchmarks.speed.ours.actions import actions_per_notification
from benchmarks.speed.scene import Figures, Scene
from benchmarks.speed.writes import Writes

SWEEP = ((250, 1), (500, 1), (500, 2), (1000, 1), (1000, 2), (2000, 1))
"""The combinations of group size and processes to try; `group100` measures groups of 100 in a single process."""

PATIENCE_SECONDS = 240
_BEAT_SECONDS = 0.005

_UNDER_WAY = """
SELECT EXISTS (SELECT FROM notify.ent_notification WHERE notification_status = 'PROCESSING')
"""


@dataclass(frozen=True, slots=True)
class Drained:
    """A drained backlog.

    Attributes:
        figures: rows per second while the clock runs, and what a row costs.
        url: of its database.
        address: of the Temporal that still has its histories.
    """

    figures: Figures
    url: str
    address: str


async def default(scene: Scene) -> Figures:
    """Drain with default settings."""
    async with drained(scene, "default", scene.sizes.default_rows, scene.sizes.warm) as found:
        return found.figures


async def single(scene: Scene) -> Figures:
    """Drain with a run for each row."""
    sizes = scene.sizes
    async with drained(
        scene, "single", sizes.single_rows, sizes.warm_single, HANDOFF_GROUP_SIZE="1"
    ) as found:
        actions = await actions_per_notification(found.url, found.address)
        return {**found.figures, "actions_single": actions}


async def group100(scene: Scene) -> Figures:
    """Drain in groups of 100, in a single process."""
    sizes = scene.sizes
    async with drained(scene, "group100", sizes.group_rows, sizes.warm, HANDOFF_GROUP_SIZE="100") as found:
        actions = await actions_per_notification(found.url, found.address)
        return {**found.figures, "actions_group": actions}


async def sweep(scene: Scene) -> Figures:
    """Drain with other group sizes, and with two processes; the results pick the best median."""
    figures: Figures = {}
    for group, processes in SWEEP:
        scene.show(f"    groups of {group}, processes: {processes}")
        warm = 2 * group * processes  # a few groups for each process, before the clock starts
        settings = {"HANDOFF_GROUP_SIZE": str(group), "WORKER_PROCESSES": str(processes)}
        mode = f"sweep_{group}x{processes}"
        async with drained(scene, mode, scene.sizes.sweep_rows, warm, **settings) as found:
            figures |= found.figures
    return figures


@asynccontextmanager
async def drained(scene: Scene, mode: str, count: int, warm: int, **settings: str) -> AsyncIterator[Drained]:
    """Drain a backlog, committed at once, with a fresh worker, database and Temporal, which runs as long as the context.

    Args:
        mode: the prefix of the figures.
        count: rows while the clock runs.
        warm: rows before the clock starts.
        settings: of the worker; all others have their defaults.

    Raises:
        Inexact: not every row arrived at the sink exactly once, or not every row is SENT.
    """
    url = await scene.database("ours")
    rows.prepare(url)
    await scene.sink.reset()
    async with scene.temporal() as address:
        async with (
            worker.running(scene, url, address, **settings) as running,
            asyncio.timeout(PATIENCE_SECONDS),
        ):
            # Commit the backlog when the worker is ready, or the time would include the start of its processes.
            await running.until_ready(int(settings.get("WORKER_PROCESSES", 1)))
            before = await asyncio.to_thread(rows.fill, url, warm + count)
            # Rows that arrive late are claimed early, so CPU time is of the whole backlog.
            meter = Meter({"worker": running.pid, **scene.pids})
            started_at = await scene.sink.until(warm)
            await scene.sink.until(warm + count)
            ended, spent = await all_recorded(url), meter.spent()
        await check(scene, url)
        figures = {f"{mode}_rows_s": count / (ended - started_at), **per_job(spent, mode, warm + count)}
        yield Drained(figures | Writes.read(url).per_job(before, mode, warm + count), url, address)


async def all_recorded(url: str) -> float:
    """Wait until no row is PROCESSING, and return the moment."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while True:
            found = await (await connection.execute(_UNDER_WAY)).fetchone()
            if found == (False,):
                return time.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)


async def check(scene: Scene, url: str) -> None:
    """Check that every row is SENT and arrived at the sink exactly once.

    Raises:
        Inexact: it is not, or did not.
    """
    states = rows.states(url)
    await exact.check(scene.sink, sent(states))


def sent(states: Mapping[str, str]) -> set[str]:
    """Return the transaction ids of the SENT rows.

    Raises:
        Inexact: a row is not SENT.
    """
    found = {transaction for transaction, state in states.items() if state == "SENT"}
    if len(found) < len(states):
        raise exact.Inexact(lost=len(states) - len(found), twice=0, strange=0)
    return found
