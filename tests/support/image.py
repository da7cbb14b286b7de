"""Take the steps of the Dockerfile without an engine, and start a worker from the result: `python -m tests.support.image`.

The commands of the stage that builds run as they stand, in an empty folder that holds only the copied files; only `/opt` and
`/src` begin with that folder. The final stage's commands change the image's system, so they are left out. The worker then runs
from there, as ENTRYPOINT, CMD and ENV have it, on the servers of `xnovu dev`; HEALTHCHECK and `xnovu worker health` ask it.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.waiting import wait_until
from xnovu_poller import settings
from xnovu_poller.dev.ports import free_port
from xnovu_poller.dev.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
_IMAGE_ROOTS = re.compile(r"(?<![\w/.])/(?=(?:opt|src)\b)")


class Step(NamedTuple):
    """An instruction of a Dockerfile, with its continued lines joined."""

    word: str
    rest: str


def stages(dockerfile: str) -> list[list[Step]]:
    """Return the steps of each stage."""
    joined = re.sub(r"\\\n\s*", " ", dockerfile)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    found: list[list[Step]] = []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append(Step(word, rest.strip()))
    return found


def variables(steps: list[Step]) -> dict[str, str]:
    """Return what ENV and ARG of a stage set."""
    pairs = [pair for step in steps if step.word in {"ENV", "ARG"} for pair in step.rest.split()]
    return {name: value.strip('"') for name, _, value in (pair.partition("=") for pair in pairs)}


def form(steps: list[Step], word: str) -> list[str]:
    """Return the words of the only ENTRYPOINT, CMD or HEALTHCHECK, which are JSON."""
    [text] = [step.rest for step in steps if step.word == word]
    words: list[str] = json.loads(text[text.index("[") :])
    return words


def build(checkout: Path, root: Path, commit: str) -> None:
    """Take the steps of the stage that builds."""
    [steps, _] = stages((checkout / "Dockerfile").read_text(encoding="utf-8"))
    venv.create(root / "base", with_pip=True)
    environment = settings.child_environment(**{**variables(steps), "XNOVU_COMMIT": commit})
    environment["PATH"] = f"{root / 'base' / 'bin'}:/usr/bin:/bin"
    environment.pop("PYTHONPATH", None)
    (root / "opt").mkdir()
    folder = root
    for step in steps:
        if step.word == "WORKDIR":
            folder = root / step.rest.lstrip("/")
            folder.mkdir()
        elif step.word == "COPY":
            *sources, place = step.rest.split()
            for source in sources:
                _copy(checkout / source, folder / place)
        elif step.word == "RUN":
            command = _IMAGE_ROOTS.sub(f"{root}/", step.rest)
            subprocess.run(["/bin/sh", "-ec", command], cwd=folder, env=environment, check=True)


def _copy(source: Path, place: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, place)


@contextmanager
def started(root: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run what the image runs; kill it afterwards if it still runs."""
    [_, steps] = stages((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    words = [*form(steps, "ENTRYPOINT"), *form(steps, "CMD")]
    child = subprocess.Popen(
        words, env=environment, cwd=root, executable=str(root / "opt/xnovu/bin" / words[0])
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def run(root: Path) -> None:
    """Start the worker, wait until HEALTHCHECK passes, and stop it."""
    [_, steps] = stages((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    port = str(free_port(0))
    with Stack(root / "stack") as stack:
        environment = {
            **variables(steps),
            **stack.environment,
            "PATH": f"{root / 'opt/xnovu/bin'}:/usr/bin:/bin",
            "WORKER_HEALTH_HOST": "127.0.0.1",
            "WORKER_HEALTH_PORT": port,
        }
        checks = [form(steps, "HEALTHCHECK"), ["xnovu", "worker", "health"]]

        def is_healthy() -> bool:
            asked = (
                subprocess.run(check, env=environment, capture_output=True, check=False) for check in checks
            )
            return all(ended.returncode == 0 for ended in asked)

        with started(root, environment) as worker:
            wait_until(lambda: worker.poll() is not None or is_healthy())
            worker.terminate()
            if worker.wait(60) != 0:
                sys.exit(f"the worker ended with exit code {worker.returncode}")
    stack.erase()


def main() -> None:
    """Build and run, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        build(ROOT, root, "0" * 40)
        version = subprocess.run(
            [root / "opt/xnovu/bin/xnovu", "--version"], check=True, capture_output=True, text=True
        )
        if "0000000" not in version.stdout:
            sys.exit(f"the version has no commit: {version.stdout}")
        run(root)
    sys.stdout.write("The image's steps are fine: its worker started, answered HEALTHCHECK and stopped.\n")


if __name__ == "__main__":
    main()
