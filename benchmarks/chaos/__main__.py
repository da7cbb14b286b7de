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
    help="Insert notifications for this many seconds; draining takes up to three minutes more.",
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    envvar="CHAOS_SEED",
    show_envvar=True,
    help="The seed of the schedule of faults.",
)
@click.option(
    "--group-size",
    type=click.IntRange(1, 2000),
    default=100,
    show_default=True,
    envvar="CHAOS_GROUP_SIZE",
    show_envvar=True,
    help="The group size of the first of three workers; the second has no groups, and the third decides.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="CHAOS_KEEP",
    show_envvar=True,
    help="Run in this folder and keep rows, deliveries and logs there.",
)
def chaos(seconds: int, seed: int, group_size: int, keep: Path | None) -> None:
    """Cause faults in the whole system while it works, and check that no notification is lost or sent twice.

    PostgreSQL, Temporal, a Novu stand-in and three workers run on free ports and in a temporary folder, while
    five enterprises insert notifications. The seed decides when workers are killed, stalled and stopped,
    servers restarted and connections cut, and when Novu hangs, resets, throttles, fails and answers wrongly.
    Then the faults end, the remaining notifications are delivered, and every row and every delivery is
    compared with the committed notifications.

    The exit code is 0 only if nothing was lost, nothing was sent twice, and no lease is left. Nothing keeps
    running, not even after Ctrl-C. If a promise was broken, the folder is kept and its path is printed.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_by_signal)
    console = Console(highlight=False)
    folder = keep or Path(tempfile.mkdtemp(prefix="xnovu-chaos-"))
    started_at = time.monotonic()

    def show(line: str) -> None:
        console.print(f"{time.monotonic() - started_at:6.1f} s  {line}", markup=False, soft_wrap=True)

    show(f"{seconds} s of chaos, CHAOS_SEED={seed}, CHAOS_GROUP_SIZE={group_size}")
    try:
        account = Soak(folder, seconds=seconds, seed=seed, group_size=group_size, show=show).run()
    except XnovuError as error:
        raise click.ClickException(f"{error}\n{_describe(folder)}") from error
    except SystemExit:
        _remove(folder, keep)
        raise
    console.print(tables(account), soft_wrap=True)
    console.print(sentence(account.verdict), soft_wrap=True)
    if account.verdict.faults:
        console.print(_describe(folder), markup=False, soft_wrap=True)
        sys.exit(1)
    _remove(folder, keep)


def _describe(folder: Path) -> str:
    return (
        f"Rows, deliveries and logs are kept in {folder} (those of the workers: worker-*.log).\n"
        f"`xnovu dev --folder {folder}` shows them; delete the folder when you are done."
    )


def _remove(folder: Path, keep: Path | None) -> None:
    """Delete the folder, and the rows that PostgreSQL's unprivileged user may keep elsewhere."""
    if keep is None:
        Stack(folder).erase()
        shutil.rmtree(folder, ignore_errors=True)


def end_by_signal(number: int, _frame: FrameType | None) -> None:
    """Raise SystemExit, so that a signal stops the servers like any other end; ignore further signals."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _ignore)
    sys.exit(128 + number)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Let the stop that is in progress finish."""


if __name__ == "__main__":
    chaos()
