"""Whether a worker's memory grows with the number of rows that it has delivered."""

import asyncio
import statistics

from benchmarks.speed import rows, worker
from benchmarks.speed.ours.draining import PATIENCE_SECONDS, all_recorded, check
from benchmarks.speed.scene import Figures, Scene

_SAMPLES = 20
_GAP_SECONDS = 0.1


async def growth(scene: Scene) -> Figures:
    """Drain many rows in groups of 100, and measure the worker's resident memory early and late, while it works."""
    sizes = scene.sizes
    url = await scene.database("ours")
    rows.prepare(url)
    total = sizes.memory_last + sizes.memory_last // 20
    rows.fill(url, total)
    await scene.sink.reset()
    async with (
        scene.temporal() as address,
        worker.running(scene, url, address, HANDOFF_GROUP_SIZE="100") as running,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        await scene.sink.until(sizes.memory_first)
        early = await _resident_mb(running)
        await scene.sink.until(sizes.memory_last)
        late = await _resident_mb(running)
        await scene.sink.until(total)
        await all_recorded(url)
    await check(scene, url)
    return {"memory_early_mb": early, "memory_late_mb": late, "memory_growth_mb": late - early}


async def _resident_mb(running: worker.Running) -> float:
    """Return the median of two seconds: the memory of a moment goes up and down by 20 MB with the rows in work."""
    samples = []
    for _ in range(_SAMPLES):
        samples.append(running.resident_mb())
        await asyncio.sleep(_GAP_SECONDS)
    return statistics.median(samples)
