"""`python -m benchmarks.speed`: the run, its tables, a chart."""

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
"""Takes results.json, RESULTS.md and results.svg."""

NAMES = tuple(entry.name for entry in ENTRIES)


def _names(_context: click.Context, _parameter: click.Parameter, said: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in said.split(",") if name.strip())
    if strange := set(names) - set(NAMES):
        raise click.BadParameter(f"{', '.join(sorted(strange))}: known are {', '.join(NAMES)}")
    return names


@click.command("speed")
@click.option("--quick", is_flag=True, help="Take every step, in five minutes; the figures are rough.")
@click.option("--only", default="", callback=_names, help="Measure these alone, separated by commas.")
@click.option("--rounds", type=click.IntRange(min=1), help="How often; 3, or 1 if quick.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write; benchmarks/, or nowhere with --only.",
)
@click.option("--render", is_flag=True, help="Measure nothing: write RESULTS.md and the chart anew.")
def speed(*, quick: bool, only: tuple[str, ...], rounds: int | None, into: Path | None, render: bool) -> None:
    """Measure the speed of the whole beside the queues that a user would pick instead.

    PostgreSQL, Temporal and a sink run on free ports and in a temporary folder. Nothing is left running, also
    after Ctrl-C; what was measured until then is written.
    """
    folder = into or (None if only else FOLDER)
    if render:
        _render(folder or FOLDER)
        return
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, _leave)
    try:
        results = asyncio.run(
            _measure(quick=quick, only=only, rounds=rounds or (1 if quick else 3), folder=folder)
        )
    except XnovuError as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n" + report.render(results).partition("## Machine")[0])


async def _measure(*, quick: bool, only: tuple[str, ...], rounds: int, folder: Path | None) -> Results:
    begun = time.monotonic()

    def tell(what: str) -> None:
        click.echo(f"{time.monotonic() - begun:6.1f} s  {what}")

    def keep(results: Results) -> None:
        if folder is not None:
            write(results, folder)

    async with opened(Sizes.quick() if quick else Sizes.full(), tell) as scene:
        return await run(scene, rounds=rounds, only=only, quick=quick, keep=keep)


def write(results: Results, folder: Path) -> None:
    """Write results.json, and from it RESULTS.md and the chart."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (folder / "RESULTS.md").write_text(report.render(results))
    (folder / "results.svg").write_text(chart.draw(results))


def _render(folder: Path) -> None:
    """Compute the ratios anew from the raw figures, too: a target may have been mended."""
    results: Results = json.loads((folder / "results.json").read_text())
    write({**results, "ratios": ratios(results["raw"])}, folder)


def _leave(number: int, _frame: FrameType | None) -> None:
    """End in order: whatever runs is stopped on the way."""
    sys.exit(128 + number)


if __name__ == "__main__":
    speed()
