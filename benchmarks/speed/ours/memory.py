"""Whether a worker's memory grows with the number of rows that it has delivered."""

import asyncio

from benchmarks.speed import rows, worker
from benchmarks.speed.ours.draining import PATIENCE_SECONDS, all_recorded, check
from benchmarks.speed.scene import Figures, Scene


async def growth(scene: Scene) -> Figures:
    """Drain many rows in groups of 100, and measure the worker's resident memory early and late."""
    sizes = scene.sizes
    url = await scene.database("ours")
    rows.prepare(url)
    rows.fill(url, sizes.memory_last)
    await scene.sink.reset()
    async with (
        scene.temporal() as address,
        worker.running(scene, url, address, HANDOFF_GROUP_SIZE="100") as running,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        await scene.sink.until(sizes.memory_first)
        early = running.resident_mb()
        await scene.sink.until(sizes.memory_last)
        await all_recorded(url)
        late = running.resident_mb()
    await check(scene, url)
    return {"memory_early_mb": early, "memory_late_mb": late, "memory_growth_mb": late - early}
