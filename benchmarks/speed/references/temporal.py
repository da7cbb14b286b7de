"""Bare Temporal: the cost of a workflow that does only what it must."""

from benchmarks.speed import exact
from benchmarks.speed.cpu import per_job
from benchmarks.speed.ours.idle import WARM, percentiles
from benchmarks.speed.references import program
from benchmarks.speed.references.flows import STANDALONE
from benchmarks.speed.scene import Figures, Scene


async def bare(scene: Scene) -> Figures:
    """Start workflows that return at once."""
    return await _throughput(scene, "Bare", "bare_workflow", scene.sizes.workflows)


async def local_activity(scene: Scene) -> Figures:
    """Start workflows with a local activity that POSTs."""
    return {
        **await _throughput(scene, "OneLocalActivity", "local_activity", scene.sizes.workflows),
        **await _idle(scene, "OneLocalActivity", "local_activity_idle", scene.sizes.idle_samples),
    }


async def five_activities(scene: Scene) -> Figures:
    """Start workflows with five activities: four do nothing, and the last POSTs."""
    return {
        **await _throughput(scene, "FiveActivities", "five_activities", scene.sizes.five_workflows),
        **await _idle(scene, "FiveActivities", "five_activities_idle", scene.sizes.idle_five_samples),
    }


async def standalone_activity(scene: Scene) -> Figures:
    """Start activities that POST, without a workflow."""
    return {
        **await _throughput(scene, STANDALONE, "standalone_activity", scene.sizes.workflows),
        **await _idle(scene, STANDALONE, "standalone_activity_idle", scene.sizes.idle_samples),
    }


async def _throughput(scene: Scene, flow: str, name: str, count: int) -> Figures:
    """Keep 50 runs in flight; return the runs per second and their CPU. Each system starts with an empty Temporal."""
    warm = scene.sizes.warm_workflows
    answer = await _run(scene, flow, one_by_one=False, warm=warm, count=count)
    ended: list[float] = answer["ended"]
    return {
        f"{name}_jobs_s": count / (ended[-1] - ended[warm - 1]),
        **per_job(answer["spent"], name, count),
    }


async def _idle(scene: Scene, flow: str, name: str, samples: int) -> Figures:
    """Start a single run at a time; measure from just before the start until the activity is entered.

    Also measure `…_post`: until the POST arrives, as for our worker.
    """
    answer = await _run(scene, flow, one_by_one=True, warm=WARM, count=samples)
    arrivals = await scene.sink.arrivals()
    started_at: dict[str, float] = answer["started_at"]
    entered: dict[str, float] = answer["entered"]
    waits = [entered[job] - moment for job, moment in started_at.items()]
    posted = [arrivals[job] - moment for job, moment in started_at.items()]
    return percentiles(name, waits[WARM:]) | percentiles(f"{name}_post", posted[WARM:])


async def _run(scene: Scene, flow: str, *, one_by_one: bool, warm: int, count: int) -> program.Answer:
    await scene.sink.reset()
    async with scene.temporal() as address:
        answer = await program.run(
            scene,
            "flows",
            address=address,
            sink=scene.sink.url,
            flow=flow,
            one_by_one=one_by_one,
            warm=warm,
            count=warm + count,
            pids=scene.pids,
        )
    await exact.check(scene.sink, set() if flow == "Bare" else program.jobs(warm + count))
    return answer
