"""Temporal with nothing around it: what a workflow costs that does no more than it must."""

from benchmarks.speed import exact
from benchmarks.speed.ours.idle import WARM, percentiles
from benchmarks.speed.references import program
from benchmarks.speed.scene import Figures, Scene


async def bare(scene: Scene) -> Figures:
    """Start workflows that return at once."""
    return {"bare_workflow_jobs_s": await _throughput(scene, "Bare", scene.sizes.workflows)}


async def local_activity(scene: Scene) -> Figures:
    """Start workflows whose one local activity POSTs."""
    return {
        "local_activity_jobs_s": await _throughput(scene, "OneLocalActivity", scene.sizes.workflows),
        **await _idle(scene, "OneLocalActivity", "local_activity_idle", scene.sizes.idle_samples),
    }


async def five_activities(scene: Scene) -> Figures:
    """Start workflows of five activities: four empty ones, and then one that POSTs."""
    return {
        "five_activities_jobs_s": await _throughput(scene, "FiveActivities", scene.sizes.five_workflows),
        **await _idle(scene, "FiveActivities", "five_activities_idle", scene.sizes.idle_five_samples),
    }


async def _throughput(scene: Scene, flow: str, count: int) -> float:
    """Keep 50 in flight, and give the workflows per second; each system begins with an empty Temporal."""
    warm = scene.sizes.warm_workflows
    answer = await _run(scene, flow, one_by_one=False, count=warm + count)
    ended: list[float] = answer["ended"]
    return count / (ended[-1] - ended[warm - 1])


async def _idle(scene: Scene, flow: str, name: str, samples: int) -> Figures:
    """Start one at a time; the wait is from just before the start until the handler is entered.

    Beside it, `…_post`: until the POST arrives, as it is counted for ours.
    """
    answer = await _run(scene, flow, one_by_one=True, count=WARM + samples)
    arrivals = await scene.sink.arrivals()
    begun: dict[str, float] = answer["begun"]
    entered: dict[str, float] = answer["entered"]
    waits = [entered[job] - moment for job, moment in begun.items()]
    posted = [arrivals[job] - moment for job, moment in begun.items()]
    return percentiles(name, waits[WARM:]) | percentiles(f"{name}_post", posted[WARM:])


async def _run(scene: Scene, flow: str, *, one_by_one: bool, count: int) -> program.Answer:
    await scene.sink.reset()
    async with scene.temporal() as address:
        answer = await program.run(
            scene,
            "flows",
            address=address,
            sink=scene.sink.url,
            flow=flow,
            one_by_one=one_by_one,
            count=count,
        )
    await exact.check(scene.sink, set() if flow == "Bare" else program.jobs(count))
    return answer
