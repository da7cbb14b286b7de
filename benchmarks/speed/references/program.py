"""A reference runs in a separate process: it reads an order from a file, and writes its answer to a file."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.speed.scene import Scene
from xnovu_poller.dev.children import Child, ServerFailed

PATIENCE_SECONDS = 300
PAYLOAD_BYTES = 600

_ROOT = Path(__file__).parents[3]
_BEAT_SECONDS = 0.05

Order = Mapping[str, Any]
Answer = dict[str, Any]


async def run(scene: Scene, name: str, **order: object) -> Answer:
    """Run `benchmarks.speed.references.NAME`, and return its answer.

    Raises:
        ServerFailed: it ended without an answer, or takes too long.
    """
    path = scene.folder / f"{name}.order.json"
    path.write_text(json.dumps(order))
    child = Child(
        name,
        [sys.executable, "-m", f"benchmarks.speed.references.{name}", str(path)],
        folder=scene.folder,
        environment={"PYTHONPATH": str(_ROOT)},
    )
    return await asyncio.to_thread(_answered, child, _answer(path))


def _answered(child: Child, file: Path) -> Answer:
    deadline = time.monotonic() + PATIENCE_SECONDS
    child.start()
    try:
        while child.is_running and time.monotonic() < deadline:
            time.sleep(_BEAT_SECONDS)
        answer: Answer = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise ServerFailed(child.name, "gave no answer", child.end_of_log()) from error
    finally:
        child.stop()
        file.unlink(missing_ok=True)
    return answer


def serve(work: Callable[[Order], Awaitable[Answer]]) -> None:
    """Run as that process: read the order that the command line names, do the work, write the answer."""
    path = Path(sys.argv[1])
    order = json.loads(path.read_text())

    async def answered() -> Answer:
        return await work(order)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answer = runner.run(answered())
    _answer(path).write_text(json.dumps(answer))


def body(number: int) -> str:
    """Return the 600 bytes of a job; the sink knows it by `job`."""
    start = json.dumps({"job": f"{number:07}", "text": ""})
    return start[:-2] + "x" * (PAYLOAD_BYTES - len(start)) + start[-2:]


def jobs(count: int) -> set[str]:
    """Return the ids of the jobs in these bodies."""
    return {f"{number:07}" for number in range(count)}


def _answer(path: Path) -> Path:
    return path.with_suffix(".answer")
