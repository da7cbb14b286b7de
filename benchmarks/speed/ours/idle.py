"""An idle worker: how soon it delivers a new notification, and what it costs while it waits."""

import asyncio
import random
import statistics
import time

import psycopg

from benchmarks.speed import rows, worker
from benchmarks.speed.cpu import Meter
from benchmarks.speed.ours.draining import all_recorded, check
from benchmarks.speed.scene import Figures, Scene

WARM = 10
"""Notifications that do not count, before the first that does."""

GAP_SECONDS = (0.02, 0.06)

_SETTLE_SECONDS = 3.0
"""Wait until a new worker has registered, connected and turned every loop once."""

_STATEMENTS = """
SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = %s)
"""


async def latency(scene: Scene) -> Figures:
    """Commit a single notification at a time, and measure the time until it arrives."""
    url = await scene.database("ours")
    rows.prepare(url)
    await scene.sink.reset()
    async with scene.temporal() as address, worker.running(scene, url, address) as running:
        await running.until_ready()
        started_at = await _committed_one_by_one(scene, url, WARM + scene.sizes.idle_samples)
        arrivals = await scene.sink.arrivals()
        await all_recorded(url)
    await check(scene, url)
    waits = [arrivals[transaction] - moment for transaction, moment in started_at.items()][WARM:]
    return percentiles("idle", waits)


async def _committed_one_by_one(scene: Scene, url: str, count: int) -> dict[str, float]:
    """Commit each row after the last has arrived; return the moment before each statement."""
    started_at: dict[str, float] = {}
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for number in range(1, count + 1):
            moment = time.monotonic()
            started_at[await rows.insert_one(connection, number)] = moment
            await scene.sink.until(number)
            await asyncio.sleep(random.uniform(*GAP_SECONDS))  # noqa: S311 - chance, not secrecy
    return started_at


def percentiles(name: str, seconds: list[float]) -> Figures:
    """Return the median and the 99th percentile, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {f"{name}_p50_ms": cuts[49] * 1000, f"{name}_p99_ms": cuts[98] * 1000}


async def cost(scene: Scene) -> Figures:
    """Measure an idle replica: its statements, as PostgreSQL counts them, and its CPU time.

    PostgreSQL must load the extension that counts when it starts, so this replica has a separate server. Every statement
    counts, including BEGIN and COMMIT.
    """
    seconds = scene.sizes.idle_seconds
    async with scene.other_postgres({"shared_preload_libraries": "pg_stat_statements"}) as server:
        url = await scene.migrated(server, "idle")
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
            async with (
                scene.temporal() as address,
                worker.running(scene, url, address, server) as running,
            ):
                await running.until_ready()
                await asyncio.sleep(_SETTLE_SECONDS)
                before, meter = (
                    connection.execute(_STATEMENTS, ["idle"]).fetchone(),
                    Meter({"worker": running.pid}),
                )
                await asyncio.sleep(seconds)
                after, spent = connection.execute(_STATEMENTS, ["idle"]).fetchone(), meter.spent()
    assert before is not None  # noqa: S101 - an aggregate gives one row
    assert after is not None  # noqa: S101 - the same
    return {
        "idle_statements_s": (after[0] - before[0]) / seconds,
        "idle_cpu_percent": 100 * spent["worker"] / seconds,
    }
