"""A run: in each round, run each measure; if a measure fails, show why and go on."""

import time
from collections.abc import Callable

from benchmarks.speed import facts
from benchmarks.speed.results import Raw, Results, number, ratios
from benchmarks.speed.scene import Scene
from benchmarks.speed.suite import Entry, entries

Keep = Callable[[Results], None]
"""Keeps the results after each measure, so that an interrupted run leaves its results so far."""


async def run(scene: Scene, *, rounds: int, only: tuple[str, ...], quick: bool, keep: Keep) -> Results:
    """Run all measures, or only the named measures, in each round.

    Args:
        rounds: at least 1.
        only: names of measures; empty for all.
        quick: a fact of the results.
        keep: called with the results so far.
    """
    started_at = time.monotonic()
    conditions = {**facts.gather(scene), "rounds": rounds, "quick": quick}
    raw: list[Raw] = []
    for number_of_round in range(1, rounds + 1):
        scene.show(f"Round {number_of_round} of {rounds}")
        for entry in entries(only, number_of_round):
            raw.append({"round": number_of_round, **await run_measure(scene, entry)})
            conditions["minutes"] = round((time.monotonic() - started_at) / 60, 1)
            results: Results = {"facts": conditions, "ratios": ratios(raw), "raw": raw}
            keep(results)
    return {"facts": conditions, "ratios": ratios(raw), "raw": raw}


async def run_measure(scene: Scene, entry: Entry) -> Raw:
    """Run a measure, and clean up after it; if it fails, show why."""
    scene.show(f"  {entry.name} …")
    found: Raw = {"measure": entry.name, "loop_ms": round(facts.loop_ms(), 1)}
    started_at, before = time.monotonic(), facts.stolen()
    try:
        found["figures"] = await entry.measure()(scene)
        scene.show("    " + ", ".join(f"{name} {number(value)}" for name, value in found["figures"].items()))
    except Exception as error:  # noqa: BLE001 - a peer may fail in any way, and the others go on
        reason = f"{type(error).__name__}: {error}"
        scene.show(f"    {entry.name} failed: {reason}")
        # Further lines have paths of this machine, but the results are public.
        found["failed"] = reason.partition("\n")[0]
    finally:
        await scene.clear()
    stolen, passed = (after - earlier for after, earlier in zip(facts.stolen(), before, strict=True))
    found["seconds"] = round(time.monotonic() - started_at, 1)
    found["stolen_percent"] = round(100 * stolen / passed, 1) if passed else 0.0
    return found
