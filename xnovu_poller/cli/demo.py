"""`xnovu demo`: the sample notifications through the real system, and a verdict."""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from xnovu_poller.dev.demo.run import WORKER, Demo, Tell
from xnovu_poller.dev.demo.show import tables, verdict
from xnovu_poller.dev.stack import Stack
from xnovu_poller.errors import XnovuError


@click.command("demo")
@click.option("--keep", is_flag=True, help="Keep the folder with rows, deliveries and logs, to look at them.")
def demo(*, keep: bool) -> None:
    """Show the whole system at work on this machine, in about half a minute.

    It starts PostgreSQL, Temporal, a stand-in for Novu and a worker, on free ports and in a temporary
    folder; inserts the notifications of five enterprises as their programs would, awkward ones among
    them (a duplicate, a draft, one expired, one retracted, a broken payload, an unpublished workflow,
    250 recipients, a topic, a Novu that answers 503 at first); waits until all are delivered; and
    compares every row and every delivery with what has to come of it.

    Exit code 0 only if each row is in its expected state and each recipient was reached exactly once.
    Nothing is left running, also after Ctrl-C. If anything differs, the folder is kept and named.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    console = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="xnovu-demo-"))
    begun = time.monotonic()
    try:
        with _progress(console) as tell:
            tally = Demo(folder, tell).run()
    except XnovuError as error:
        raise click.ClickException(f"{error}\n{_way_to(folder)}") from error
    except SystemExit:
        _forget(folder)
        raise
    console.print(tables(tally))
    console.print(verdict(tally, timedelta(seconds=time.monotonic() - begun)), soft_wrap=True)
    if keep or tally.differences:
        console.print(_way_to(folder), markup=False, soft_wrap=True)
    else:
        _forget(folder)
    if tally.differences:
        sys.exit(1)


@contextmanager
def _progress(console: Console) -> Iterator[Tell]:
    """Show each step as a line with its time, and how far the present one has come."""
    begun = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        doing = ""

        def tell(what: str, done: int = 0, of: int | None = None, /) -> None:
            nonlocal doing
            if what != doing:
                doing = what
                console.print(f"[dim]{time.monotonic() - begun:5.1f} s[/]  {what}")
            progress.update(task, description=what, completed=done, total=of)

        yield tell


def _way_to(folder: Path) -> str:
    return (
        f"Rows, deliveries and logs are kept in {folder} (the worker's log: {WORKER}.log).\n"
        f"`xnovu dev --folder {folder}` brings them up to look at; remove the folder when done."
    )


def _forget(folder: Path) -> None:
    """Remove the folder, and what was placed elsewhere for a user who cannot enter it."""
    Stack(folder).erase()
    shutil.rmtree(folder, ignore_errors=True)


def _leave(number: int, _frame: FrameType | None) -> None:
    """End in order, on the way of every other end."""
    sys.exit(128 + number)
