"""`python -m benchmarks.chaos`: the soak, a table, and a verdict."""

import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from benchmarks.chaos.schedule import CALM_SECONDS, WARM_UP_SECONDS
from benchmarks.chaos.show import sentence, tables
from benchmarks.chaos.soak import Soak
from xnovu_poller.dev.stack import Stack
from xnovu_poller.errors import XnovuError

SHORTEST_SECONDS = int(WARM_UP_SECONDS + CALM_SECONDS)


@click.command("chaos")
@click.option(
    "--seconds",
    type=click.IntRange(min=SHORTEST_SECONDS),
    default=180,
    show_default=True,
    envvar="CHAOS_SECONDS",
    show_envvar=True,
    help="How long notifications come in; to drain takes up to three minutes more.",
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    envvar="CHAOS_SEED",
    show_envvar=True,
    help="Of the schedule of faults.",
)
@click.option(
    "--group-size",
    type=click.IntRange(1, 500),
    default=100,
    show_default=True,
    envvar="CHAOS_GROUP_SIZE",
    show_envvar=True,
    help="Most notifications that two of the three workers hand off together; 1: none does.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="CHAOS_KEEP",
    show_envvar=True,
    help="Run in this folder, and keep rows, deliveries and logs there.",
)
def chaos(seconds: int, seed: int, group_size: int, keep: Path | None) -> None:
    """Strike the whole system while it works, and count what came of it.

    PostgreSQL, Temporal, a stand-in for Novu and three workers run on free ports and in a temporary folder;
    five enterprises insert notifications all the while. Workers are killed, stalled and asked to end,
    servers restarted, connections cut, and Novu hangs, resets, throttles, fails and lies, as the seed has it.
    Then all is mended, the rest is drained, and every row and every delivery is compared with what was
    committed.

    Exit code 0 only if nothing was lost, nothing sent twice, and nothing is left behind. Nothing is left
    running, also after Ctrl-C. If the promise was broken, the folder is kept and named.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    console = Console(highlight=False)
    folder = keep or Path(tempfile.mkdtemp(prefix="xnovu-chaos-"))
    begun = time.monotonic()

    def tell(what: str) -> None:
        console.print(f"{time.monotonic() - begun:6.1f} s  {what}", markup=False, soft_wrap=True)

    tell(f"{seconds} s of chaos, CHAOS_SEED={seed}, CHAOS_GROUP_SIZE={group_size}")
    try:
        account = Soak(folder, seconds=seconds, seed=seed, group_size=group_size, tell=tell).run()
    except XnovuError as error:
        raise click.ClickException(f"{error}\n{_way_to(folder)}") from error
    except SystemExit:
        _forget(folder, keep)
        raise
    console.print(tables(account), soft_wrap=True)
    console.print(sentence(account.verdict), soft_wrap=True)
    if account.verdict.faults:
        console.print(_way_to(folder), markup=False, soft_wrap=True)
        sys.exit(1)
    _forget(folder, keep)


def _way_to(folder: Path) -> str:
    return (
        f"Rows, deliveries and logs are kept in {folder} (those of the workers: worker-*.log).\n"
        f"`xnovu dev --folder {folder}` brings them up to look at; remove the folder when done."
    )


def _forget(folder: Path, keep: Path | None) -> None:
    """Remove the folder, and what was placed elsewhere for a user who cannot enter it."""
    if keep is None:
        Stack(folder).erase()
        shutil.rmtree(folder, ignore_errors=True)


def _leave(number: int, _frame: FrameType | None) -> None:
    """End in order, on the way of every other end; once is enough."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, _stay)
    sys.exit(128 + number)


def _stay(_number: int, _frame: FrameType | None) -> None:
    """Finish what was begun: all is being stopped."""


if __name__ == "__main__":
    chaos()
