"""Run `docker`, or print what would be run."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import NoReturn

import click

from xnovu_poller.errors import XnovuError

dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the commands, in the form of a shell, and run nothing."
)


def print_command(*words: str) -> None:
    """Print a command so that a shell would run it."""
    click.echo(shlex.join(["docker", *words]))


def run(*words: str, hint: str = "") -> None:
    """Run a command and wait for its end; it prints to our terminal.

    Args:
        words: the command, without `docker`.
        hint: what to do if it fails.

    Raises:
        XnovuError: there is no `docker`, or the command fails.
    """
    ended = subprocess.run([_engine(), *words], check=False)  # noqa: S603 - docker, with arguments of ours
    if ended.returncode != 0:
        raise XnovuError(f"docker: `docker {words[0]}` ended with exit code {ended.returncode}{hint}")


def become(words: Sequence[str]) -> NoReturn:
    """Replace this process by a command, so that signals and the exit code are those of `docker`.

    Raises:
        XnovuError: there is no `docker`.
    """
    os.execv(_engine(), ["docker", *words])  # noqa: S606 - docker, with arguments of ours


def _engine() -> str:
    engine = shutil.which("docker")
    if engine is None:
        raise XnovuError(
            "docker: the command `docker` is not on the PATH; install Docker or Podman's `docker`"
        )
    return engine
