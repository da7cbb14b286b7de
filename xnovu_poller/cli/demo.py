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

from xnovu_poller.dev.demo.run import WORKER, Demo, Reporter
from xnovu_poller.dev.demo.show import render_tables, render_verdict
from xnovu_poller.dev.stack import Stack, require_servers
from xnovu_poller.errors import XnovuError


@click.command("demo")
@click.option("--keep", is_flag=True, help="Keep the folder with rows, deliveries and logs afterwards.")
def demo(*, keep: bool) -> None:
    """Watch the whole system work on this machine, in half a minute.

    The demo starts PostgreSQL, Temporal, a Novu stand-in and a worker, on free ports and in a temporary
    folder. It inserts the notifications of five enterprises as their programs would. Some are difficult:
    a duplicate, a draft, an expired notification, a retraction, a broken payload, an unpublished workflow,
    250 recipients, a topic, and a Novu that first answers 503. The demo waits until all are delivered, then
    compares every row and every delivery with the expected result.

    The exit code is 0 only if each row is in its expected state and each recipient was reached exactly
    once. Nothing keeps running, not even after Ctrl-C. If anything differs, the demo keeps its folder and
    prints where it is.
    """
    require_servers()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    console = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="xnovu-demo-"))
    started = time.monotonic()
    try:
        with _progress(console) as report:
            tally = Demo(folder, report).run()
    except XnovuError as error:
        raise click.ClickException(f"{error}\n{_describe(folder)}") from error
    except SystemExit:
        _remove(folder)
        raise
    console.print(render_tables(tally))
    console.print(render_verdict(tally, timedelta(seconds=time.monotonic() - started)), soft_wrap=True)
    if keep or tally.differences:
        console.print(_describe(folder), markup=False, soft_wrap=True)
    else:
        _remove(folder)
    if tally.differences:
        sys.exit(1)


@contextmanager
def _progress(console: Console) -> Iterator[Reporter]:
    """Print each step with its time, and show a bar for the current step."""
    started = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        current = ""

        def report(step: str, done: int = 0, total: int | None = None, /) -> None:
            nonlocal current
            if step != current:
                current = step
                console.print(f"[dim]{time.monotonic() - started:5.1f} s[/]  {step}")
            progress.update(task, description=step, completed=done, total=total)

        yield report


def _describe(folder: Path) -> str:
    return (
        f"Rows, deliveries and logs are kept in {folder} (the worker's log: {WORKER}.log).\n"
        f"To look at them, run `xnovu dev --folder {folder}`; delete the folder when you are done."
    )


def _remove(folder: Path) -> None:
    """Delete the folder, and the rows that PostgreSQL's unprivileged user may keep elsewhere."""
    Stack(folder).erase()
    shutil.rmtree(folder, ignore_errors=True)


def _exit(number: int, _frame: FrameType | None) -> None:
    """Raise SystemExit, so that a signal stops the servers like any other end."""
    sys.exit(128 + number)
