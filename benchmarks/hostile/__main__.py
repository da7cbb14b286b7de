"""`python -m benchmarks.hostile`: the siege, a table, and a verdict."""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.attacks.attack import Attack
from benchmarks.hostile.show import failures, sentence, tables
from benchmarks.hostile.siege import Siege
from xnovu_poller.dev.stack import Stack
from xnovu_poller.errors import XnovuError

WIDTH = 160
"""Of the table of attacks, also where nobody looks."""


@click.command("chaos-hostile")
@click.option(
    "--seconds",
    type=click.IntRange(min=len(ATTACKS)),
    default=120,
    show_default=True,
    envvar="CHAOS_SECONDS",
    show_envvar=True,
    help="Attack for this many seconds, an equal share for each attack.",
)
@click.option(
    "--group-size",
    type=click.IntRange(1, 2000),
    envvar="CHAOS_GROUP_SIZE",
    show_envvar=True,
    help="HANDOFF_GROUP_SIZE of the worker, instead of its default.",
)
@click.option(
    "--attack",
    "words",
    multiple=True,
    metavar="WORDS",
    help="Run only the attacks whose name has these words; repeat it for more.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="CHAOS_KEEP",
    show_envvar=True,
    help="Run in this folder and keep rows, deliveries and logs there.",
)
def hostile(seconds: int, group_size: int | None, words: tuple[str, ...], keep: Path | None) -> None:
    """Let enterprise A do everything it can to delay B and C, and measure the delays of B and C.

    PostgreSQL, Temporal, a Novu stand-in and one worker with its default settings run on free ports and in a
    temporary folder. B and C commit a notification every half second. A has two logins: that of an application
    (xnovu_producer) and that of a tenant (xnovu_tenant, bound to A). It attacks in every way that the table lists,
    in turn; the rows of an attack stay there for the next.

    The exit code is 0 only if nothing was lost or sent twice, the 99th percentile of the delays of B and C is
    at most 3 s, /livez always answers within 1 s, and the worker stays within 600 MB. Nothing keeps running,
    not even after Ctrl-C.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    console = Console(highlight=False, width=WIDTH)
    folder = keep or Path(tempfile.mkdtemp(prefix="xnovu-hostile-"))
    started_at = time.monotonic()

    def show(line: str) -> None:
        console.print(f"{time.monotonic() - started_at:6.1f} s  {line}", markup=False, soft_wrap=True)

    attacks = _choose(words)
    show(f"{len(attacks)} attacks in {seconds} s")
    settings = {"HANDOFF_GROUP_SIZE": str(group_size)} if group_size else {}
    try:
        account = Siege(folder, attacks=attacks, seconds=seconds, settings=settings, show=show).run()
    except XnovuError as error:
        raise click.ClickException(f"{error}\nLogs are kept in {folder}.") from error
    console.print(tables(account), soft_wrap=True)
    for slot in account.slots:
        for refusal in slot.report.words.values():
            show(f"{slot.name}: {refusal}")
    console.print(sentence(account), soft_wrap=True)
    if failures(account):
        console.print(f"Rows, deliveries and logs are kept in {folder}.", markup=False, soft_wrap=True)
        sys.exit(1)
    if keep is None:
        Stack(folder).erase()
        shutil.rmtree(folder, ignore_errors=True)


def _choose(words: Sequence[str]) -> list[Attack]:
    """Return the attacks that have any of the words in their name; all without words."""
    chosen = [attack for attack in ATTACKS if not words or any(each in attack.name for each in words)]
    if not chosen:
        raise click.UsageError(f"choose from: {'; '.join(attack.name for attack in ATTACKS)}")
    return chosen


def _exit(number: int, _frame: FrameType | None) -> None:
    """Raise SystemExit, so that a signal stops the servers like any other end; ignore further signals."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    hostile()
