"""How fast a backlog is drained: the clock runs from the arrival number `warm` until all rows are SENT."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from benchmarks.speed import exact, rows, worker
from benchmarks.speed.cpu import Meter
from benchmarks.speed.ours.actions import actions_per_notification
from benchmarks.speed.scene import Figures, Scene

SWEEP = ((100, 2), (250, 1), (250, 2), (500, 1), (500, 2))
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
        rows_s: rows per second while the clock runs.
        cpu: seconds of CPU time per 1000 rows while the clock runs, of the worker and of each server.
        url: of its database.
        address: of the Temporal that still has its histories.
    """

    rows_s: float
    cpu: dict[str, float]
    url: str
    address: str


async def single(scene: Scene) -> Figures:
    """Drain with a run for each row."""
    sizes = scene.sizes
    async with drained(scene, sizes.single_rows, sizes.warm_single, group=1) as found:
        return {
            "single_rows_s": found.rows_s,
            **_named("single", found.cpu),
            "actions_single": await actions_per_notification(found.url, found.address),
        }


async def group100(scene: Scene) -> Figures:
    """Drain in groups of 100, in a single process."""
    sizes = scene.sizes
    async with drained(scene, sizes.group_rows, sizes.warm, group=100) as found:
        return {
            "group100_rows_s": found.rows_s,
            **_named("group100", found.cpu),
            "actions_group": await actions_per_notification(found.url, found.address),
        }


async def sweep(scene: Scene) -> Figures:
    """Drain with other group sizes, and with two processes; the results pick the best median."""
    figures: Figures = {}
    for group, processes in SWEEP:
        scene.show(f"    groups of {group}, processes: {processes}")
        # A few groups of the largest size for each process, before the clock starts.
        warm = 2 * max(size for size, _ in SWEEP) * processes
        async with drained(scene, scene.sizes.sweep_rows, warm, group=group, processes=processes) as found:
            figures[f"sweep_{group}x{processes}_rows_s"] = found.rows_s
            figures |= _named(f"sweep_{group}x{processes}", found.cpu)
    return figures


@asynccontextmanager
async def drained(
    scene: Scene, count: int, warm: int, *, group: int, processes: int = 1
) -> AsyncIterator[Drained]:
    """Drain a backlog, committed at once, with a fresh worker, database and Temporal, which runs as long as the context.

    Args:
        count: rows while the clock runs.
        warm: rows before the clock starts.
        group: HANDOFF_GROUP_SIZE.
        processes: WORKER_PROCESSES.

    Raises:
        Inexact: not every row arrived at the sink exactly once, or not every row is SENT.
    """
    url = await scene.database("ours")
    rows.prepare(url)
    await scene.sink.reset()
    settings = {"HANDOFF_GROUP_SIZE": str(group), "WORKER_PROCESSES": str(processes)}
    async with scene.temporal() as address:
        async with (
            worker.running(scene, url, address, **settings) as running,
            asyncio.timeout(PATIENCE_SECONDS),
        ):
            # Commit the backlog when the worker is ready, or the time would include the start of its processes.
            await running.until_ready(processes)
            await asyncio.to_thread(rows.fill, url, warm + count)
            started_at, meter = await scene.sink.until(warm), Meter({"worker": running.pid, **scene.pids})
            await scene.sink.until(warm + count)
            ended, spent = await all_recorded(url), meter.spent()
        await check(scene, url)
        cpu = {name: seconds * 1000 / count for name, seconds in spent.items()}
        yield Drained(count / (ended - started_at), cpu, url, address)


def _named(mode: str, cpu: Mapping[str, float]) -> Figures:
    return {f"{mode}_{name}_cpu_s_per_1000": seconds for name, seconds in cpu.items()}


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
