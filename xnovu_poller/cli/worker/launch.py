"""The options of `xnovu worker start`, and a start in the background."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import click

from xnovu_poller import settings
from xnovu_poller.cli.output import print_json
from xnovu_poller.cli.worker.pid_file import PID_FILE, Options, open_private, read
from xnovu_poller.errors import XnovuError

LOG_FILE = Path("xnovu-worker.log")

_LISTENS_WITHIN_SECONDS = 60.0
_LOOK_SECONDS = 0.05

_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option(
        "--dev", is_flag=True, help="Log each step, for people: LOG_LEVEL=debug, LOG_FORMAT=console."
    ),
    click.option("--enterprises", metavar="A,B", help="Serve only these: WORKER_ENTERPRISE_IDS."),
    click.option("--health-port", metavar="N", help="The port of /health: WORKER_HEALTH_PORT."),
    click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error: LOG_LEVEL."),
    click.option("--detach", is_flag=True, help="Start it in the background, and return when it listens."),
    click.option("--pid-file", type=_FILE, help=f"Name the process here; with --detach: {PID_FILE}."),
    click.option("--log-file", type=_FILE, help=f"Append the log to this file; with --detach: {LOG_FILE}."),
    click.option(
        "--allow-superuser", is_flag=True, help="Start although the login in DATABASE_URL is a superuser."
    ),
    click.option("--json", "as_json", is_flag=True, help="Log in JSON; with --detach, print JSON too."),
)


def start_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `xnovu worker start`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def collect(
    log_file: Path | None, *, allow_superuser: bool, **chosen: str | bool | None
) -> dict[str, str | bool]:
    """Return the options that were given and that a restart keeps."""
    every: dict[str, str | bool | None] = {
        **chosen,
        "log_file": None if log_file is None else str(log_file.absolute()),
        "allow_superuser": allow_superuser,
    }
    return {name: value for name, value in every.items() if value is not None and value is not False}


def choose(options: Options) -> None:
    """Let the options of a command win over the environment, also in child processes."""
    variables = {"LOG_LEVEL": "debug", "LOG_FORMAT": "console"} if "dev" in options else {}
    names = {
        "enterprises": "WORKER_ENTERPRISE_IDS",
        "health_port": "WORKER_HEALTH_PORT",
        "log_level": "LOG_LEVEL",
    }
    # An empty text would count as unset, and the worker would serve all enterprises.
    variables |= {
        variable: str(options[option]) or "," for option, variable in names.items() if option in options
    }
    settings.override(**variables)


def launch(pid_file: Path, options: Options, *, as_json: bool) -> None:
    """Start a worker in the background, by the environment and by options, and wait until it listens.

    Raises:
        XnovuError: a worker runs already, or the new process does not listen.
    """
    if (running := read(pid_file)) is not None:
        raise XnovuError(
            f"worker: runs already as process {running.pid}; stop it first, or name another --pid-file"
        )
    command = [sys.executable, "-m", "xnovu_poller", "worker", "start", "--pid-file", str(pid_file)]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        command.append(option if value is True else f"{option}={value}")
    log_file = Path(str(options.get("log_file", LOG_FILE)))
    with open_log(log_file) as output:
        child = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=settings.child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _LISTENS_WITHIN_SECONDS
    while (running := read(pid_file)) is None or running.pid != child.pid:
        if child.poll() is not None:
            raise XnovuError(f"worker: ended with exit code {child.returncode}; the reason is in {log_file}")
        if time.monotonic() > deadline:
            raise XnovuError(f"worker: process {child.pid} does not listen yet; see {log_file}")
        time.sleep(_LOOK_SECONDS)
    if as_json:
        print_json({"pid": child.pid, "pid_file": str(pid_file), "log_file": str(log_file)})
        return
    click.echo(
        f"The worker runs as process {child.pid} and logs to {log_file}. `xnovu worker health` asks it."
    )


def open_log(path: Path) -> BinaryIO:
    """Open a log for further lines; only its owner can read it.

    Raises:
        XnovuError: it cannot be written.
    """
    try:
        return open(path, "ab", opener=open_private)
    except OSError as error:
        raise XnovuError(f"{path}: cannot be written ({error.strerror})") from None
