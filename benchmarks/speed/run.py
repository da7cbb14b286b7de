"""One run: round after round, each measure of each, and whatever fails is told and passed over."""

import time
from collections.abc import Callable

from benchmarks.speed import facts
from benchmarks.speed.report import number
from benchmarks.speed.results import Raw, Results, ratios
from benchmarks.speed.scene import Scene
from benchmarks.speed.suite import Entry, entries

Keep = Callable[[Results], None]
"""Is given the results after each measure, so that an interrupted run leaves what it has."""


async def run(scene: Scene, *, rounds: int, only: tuple[str, ...], quick: bool, keep: Keep) -> Results:
    """Measure everything, or what is named, in so many rounds.

    Args:
        scene: where.
        rounds: at least one.
        only: names of measures; none means all.
        quick: told in the facts.
        keep: is given the results so far.
    """
    begun = time.monotonic()
    told = {**facts.gather(scene), "rounds": rounds, "quick": quick}
    raw: list[Raw] = []
    for number_of_round in range(1, rounds + 1):
        scene.tell(f"Round {number_of_round} of {rounds}")
        for entry in entries(only, number_of_round):
            raw.append({"round": number_of_round, **await one(scene, entry)})
            told["minutes"] = round((time.monotonic() - begun) / 60, 1)
            results: Results = {"facts": told, "ratios": ratios(raw), "raw": raw}
            keep(results)
    return {"facts": told, "ratios": ratios(raw), "raw": raw}


async def one(scene: Scene, entry: Entry) -> Raw:
    """Run one measure, and clear up behind it; a failure is told, and ends nothing."""
    scene.tell(f"  {entry.name} …")
    found: Raw = {"measure": entry.name, "loop_ms": round(facts.loop_ms(), 1)}
    begun, before = time.monotonic(), facts.stolen()
    try:
        found["figures"] = await entry.measure()(scene)
        scene.tell("    " + ", ".join(f"{name} {number(value)}" for name, value in found["figures"].items()))
    except Exception as error:  # noqa: BLE001 - the edge: a peer may fail in any way, and the others go on
        said = f"{type(error).__name__}: {error}"
        scene.tell(f"    {entry.name} failed: {said}")
        # Its last words hold paths of this machine; the results are for everybody.
        found["failed"] = said.partition("\n")[0]
    finally:
        await scene.clear()
    stolen, passed = (after - earlier for after, earlier in zip(facts.stolen(), before, strict=True))
    found["seconds"] = round(time.monotonic() - begun, 1)
    found["stolen_percent"] = round(100 * stolen / passed, 1) if passed else 0.0
    return found
