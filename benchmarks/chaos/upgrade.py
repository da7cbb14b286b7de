"""`python -m benchmarks.chaos.upgrade`: the rollout, and a verdict."""

import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console

from benchmarks.chaos.__main__ import end_by_signal
from benchmarks.chaos.before import build, default_commit
from benchmarks.chaos.rollout import Rollout
from benchmarks.chaos.show import sentence, tables
from xnovu_poller.dev.stack import Stack
from xnovu_poller.errors import XnovuError

SHORTEST_SECONDS = 60


@click.command("chaos-upgrade")
@click.option(
    "--seconds",
    type=click.IntRange(min=SHORTEST_SECONDS),
    default=120,
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
    help="The seed of the faults.",
)
@click.option(
    "--before",
    "revision",
    envvar="CHAOS_BEFORE",
    show_envvar=True,
    help="A commit of the version before; by default the parent of the first migration of this version, or HEAD if that is "
    "too old to work beside this version.",
)
def chaos_upgrade(seconds: int, seed: int, revision: str | None) -> None:
    """Roll out this version beside the version before, under faults, and check that no notification is lost or sent twice.

    Two workers of the version before, built from git, work on its schema. Then `xnovu db upgrade` runs, two workers of
    this version start, and both versions work side by side, until the old workers end one after the other. Meanwhile
    five enterprises insert notifications, and servers, connections and Novu fail as in `make chaos`.

    The exit code is 0 only if nothing was lost, nothing was sent twice, no lease is left, and no worker ended by itself.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_by_signal)
    console, started_at = Console(highlight=False), time.monotonic()

    def show(line: str) -> None:
        console.print(f"{time.monotonic() - started_at:6.1f} s  {line}", markup=False, soft_wrap=True)

    show("Building the version before")
    before = build(revision or default_commit())
    folder = Path(tempfile.mkdtemp(prefix="xnovu-chaos-"))
    rollout = Rollout(folder, seconds=seconds, seed=seed, before=before, show=show)
    try:
        account = rollout.run()
    except XnovuError as error:
        raise click.ClickException(f"{error}\nThe logs are kept in {folder}.") from error
    console.print(tables(account), soft_wrap=True)
    console.print(f"`xnovu db upgrade` ran {rollout.upgrades} times until it succeeded.", markup=False)
    console.print(sentence(account.verdict), soft_wrap=True)
    if account.verdict.faults or account.unasked:
        console.print(
            f"Workers that ended by themselves: {account.unasked}. The logs are kept in {folder}.",
            markup=False,
        )
        sys.exit(1)
    Stack(folder).erase()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    chaos_upgrade()
