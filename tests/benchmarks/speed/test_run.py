from pathlib import Path

from benchmarks.speed.run import one
from benchmarks.speed.scene import Scene, Sizes
from benchmarks.speed.suite import Entry


async def test_a_measure_that_fails_is_told_and_ends_nothing(tmp_path: Path) -> None:
    """A peer may not be installed."""
    told: list[str] = []
    scene = Scene(tmp_path, Sizes.quick(), told.append)

    found = await one(scene, Entry("none", "nowhere:measure"))
    await scene.sink.stop()

    assert found["failed"] == "ModuleNotFoundError: No module named 'benchmarks.speed.nowhere'"
    assert "figures" not in found
    assert told[-1].endswith(found["failed"])
