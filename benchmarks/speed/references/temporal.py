"""Bare Temporal: the cost of a workflow that does only what it must."""

from benchmarks.speed import exact
from benchmarks.speed.ours.idle import WARM, percentiles
from benchmarks.speed.references import program
from benchmarks.speed.scene import Figures, Scene


async def bare(scene: Scene) -> Figures:
    """Start workflows that return at once."""
    return {"bare_workflow_jobs_s": await _throughput(scene, "Bare", scene.sizes.workflows)}


async def local_activity(scene: Scene) -> Figures:
    """Start workflows with a local activity that POSTs."""
    return {
        "local_activity_jobs_s": await _throughput(scene, "OneLocalActivity", scene.sizes.workflows),
        **await _idle(scene, "OneLocalActivity", "local_activity_idle", scene.sizes.idle_samples),
    }


async def five_activities(scene: Scene) -> Figures:
    """Start workflows with five activities: four do nothing, and the last POSTs."""
    return {
        "five_activities_jobs_s": await _throughput(scene, "FiveActivities", scene.sizes.five_workflows),
        **await _idle(scene, "FiveActivities", "five_activities_idle", scene.sizes.idle_five_samples),
    }


async def _throughput(scene: Scene, flow: str, count: int) -> float:
    """Keep 50 runs in flight; return the runs per second. Each system starts with an empty Temporal."""
    warm = scene.sizes.warm_workflows
    answer = await _run(scene, flow, one_by_one=False, count=warm + count)
    ended: list[float] = answer["ended"]
    return count / (ended[-1] - ended[warm - 1])


async def _idle(scene: Scene, flow: str, name: str, samples: int) -> Figures:
    """Start a single run at a time; measure from just before the start until the activity is entered.

    Also measure `…_post`: until the POST arrives, as for our worker.
    """
    answer = await _run(scene, flow, one_by_one=True, count=WARM + samples)
    arrivals = await scene.sink.arrivals()
    started_at: dict[str, float] = answer["started_at"]
    entered: dict[str, float] = answer["entered"]
    waits = [entered[job] - moment for job, moment in started_at.items()]
    posted = [arrivals[job] - moment for job, moment in started_at.items()]
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
