from pathlib import Path

from benchmarks.speed.run import run_measure
from benchmarks.speed.scene import Scene, Sizes
from benchmarks.speed.suite import Entry


async def test_a_failed_measure_is_reported_and_the_suite_goes_on(tmp_path: Path) -> None:
    """A peer may not be installed."""
    messages: list[str] = []
    scene = Scene(tmp_path, Sizes.quick(), messages.append)

    found = await run_measure(scene, Entry("none", "nowhere:measure"))
    await scene.sink.stop()

    assert found["failed"] == "ModuleNotFoundError: No module named 'benchmarks.speed.nowhere'"
    assert "figures" not in found
    assert messages[-1].endswith(found["failed"])
