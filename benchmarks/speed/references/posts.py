"""A bare HTTP client: 50 loops that only POST. No queue that uses this client can be faster."""

import asyncio
import time

from benchmarks.speed import exact
from benchmarks.speed.peers.posting import IN_FLIGHT, Origin
from benchmarks.speed.references import program
from benchmarks.speed.scene import Figures, Scene


async def measure(scene: Scene) -> Figures:
    """POST as fast as aiohttp can."""
    warm, count = scene.sizes.warm, scene.sizes.posts
    await scene.sink.reset()
    answer = await program.run(scene, "posts", sink=scene.sink.url, count=warm + count)
    await exact.check(scene.sink, program.jobs(warm + count))
    return {"http_only_jobs_s": count / (answer["ended"] - await scene.sink.until(warm))}


async def work(order: program.Order) -> program.Answer:
    """POST each job once."""
    numbers = iter(range(order["count"]))
    async with Origin(order["sink"]) as sender:

        async def loop() -> None:
            for number in numbers:
                await sender.send(program.body(number))

        await asyncio.gather(*(loop() for _ in range(IN_FLIGHT)))
    return {"ended": time.monotonic()}


if __name__ == "__main__":
    program.serve(work)
