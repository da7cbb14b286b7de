"""`python -m benchmarks.speed`: measure, and write the tables and the chart."""

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click

from benchmarks.speed import chart, report
from benchmarks.speed.results import Results, ratios
from benchmarks.speed.run import run
from benchmarks.speed.scene import Sizes, opened
from benchmarks.speed.suite import ENTRIES
from xnovu_poller.errors import XnovuError

FOLDER = Path(__file__).parents[1]
"""The folder of results.json, RESULTS.md and results.svg."""

NAMES = tuple(entry.name for entry in ENTRIES)


def _names(_context: click.Context, _parameter: click.Parameter, given: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    if unknown := set(names) - set(NAMES):
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: unknown; choose from {', '.join(NAMES)}")
    return names


@click.command("speed")
@click.option("--quick", is_flag=True, help="Run every measure in five minutes, with rough figures.")
@click.option("--only", default="", callback=_names, help="Run only these measures, separated by commas.")
@click.option(
    "--rounds", type=click.IntRange(min=1), help="The number of rounds; 3 by default, 1 with --quick."
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder for the results; benchmarks/ by default, none with --only.",
)
@click.option("--render", is_flag=True, help="Measure nothing; write RESULTS.md and the chart again.")
def speed(*, quick: bool, only: tuple[str, ...], rounds: int | None, into: Path | None, render: bool) -> None:
    """Measure the speed of xnovu-poller and of the queues that you could use instead.

    PostgreSQL, Temporal and a sink run on free ports and in a temporary folder. Nothing keeps running, not even after
    Ctrl-C, and the results so far are written.
    """
    folder = into or (None if only else FOLDER)
    if render:
        _render(folder or FOLDER)
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    try:
        results = asyncio.run(
            _measure(quick=quick, only=only, rounds=rounds or (1 if quick else 3), folder=folder)
        )
    except XnovuError as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n" + report.render(results).partition("## Machine")[0])


async def _measure(*, quick: bool, only: tuple[str, ...], rounds: int, folder: Path | None) -> Results:
    started_at = time.monotonic()

    def show(line: str) -> None:
        click.echo(f"{time.monotonic() - started_at:6.1f} s  {line}")

    def keep(results: Results) -> None:
        if folder is not None:
            write(results, folder)

    async with opened(Sizes.quick() if quick else Sizes.full(), show) as scene:
        return await run(scene, rounds=rounds, only=only, quick=quick, keep=keep)


def write(results: Results, folder: Path) -> None:
    """Write results.json, RESULTS.md and the chart."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (folder / "RESULTS.md").write_text(report.render(results))
    (folder / "results.svg").write_text(chart.draw(results))


def _render(folder: Path) -> None:
    """Write the results again; also compute the ratios again, because a target may have changed."""
    results: Results = json.loads((folder / "results.json").read_text())
    write({**results, "ratios": ratios(results["raw"])}, folder)


def _exit(number: int, _frame: FrameType | None) -> None:
    """Raise SystemExit, so that a signal stops the servers like any other end."""
    sys.exit(128 + number)


if __name__ == "__main__":
    speed()
