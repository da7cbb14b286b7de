"""`xnovu worker stop` and `restart`: end the worker that a pid file names."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import click

from xnovu_poller import settings
from xnovu_poller.cli.output import json_option, print_json
from xnovu_poller.cli.worker.launch import choose, collect, launch, start_options
from xnovu_poller.cli.worker.pid_file import PID_FILE, read, read_options
from xnovu_poller.errors import XnovuError

_LOOK_SECONDS = 0.05

_STOPS_WITHIN_SECONDS = 30.0
"""A stop takes at most this and a call to Novu."""


@click.command
@click.option(
    "--pid-file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=PID_FILE,
    show_default=True,
    help="The file that names the process.",
)
@click.option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="Give up after this long.",
)
@json_option
def stop(pid_file: Path, wait: float, *, as_json: bool) -> None:
    """Ask the worker that the pid file names to stop, and wait until it has ended.

    It finishes its running deliveries first, which takes at most NOVU_TIMEOUT_MS and 30 s. This command kills nothing, and
    it sends no signal to a process that did not write the file.

    Exit codes: 0 stopped, 1 there is no such worker, or it still runs.
    """
    pid = _stop(pid_file, wait)
    if pid is None:
        raise XnovuError(f"worker: {pid_file} names no running worker; name its file with --pid-file")
    if as_json:
        print_json({"pid": pid})
    else:
        click.echo(f"The worker, process {pid}, has stopped.")


@click.command
@start_options
def restart(
    pid_file: Path | None,
    log_file: Path | None,
    *,
    allow_superuser: bool,
    detach: bool,
    as_json: bool,
    **chosen: str | bool | None,
) -> None:
    """Stop the worker that the pid file names, if it runs, and start one in the background.

    The new worker gets the options with which the old worker was started, except those that you give now. Without an
    option again: `xnovu worker stop`, then `start`. The settings are checked before the old worker is stopped. A worker
    under a supervisor such as systemd or Kubernetes is restarted by its supervisor.
    """
    del detach  # a restart always detaches
    file = pid_file or PID_FILE
    options = {**read_options(file), **collect(log_file, allow_superuser=allow_superuser, **chosen)}
    choose(options)
    wait = settings.load().novu_timeout.total_seconds() + _STOPS_WITHIN_SECONDS
    _stop(file, wait)
    launch(file, options, as_json=as_json)


def _stop(pid_file: Path, wait_seconds: float) -> int | None:
    """Stop the worker and return its process id; None if none runs.

    Raises:
        XnovuError: it still runs after the wait, or belongs to another user.
    """
    running = read(pid_file)
    if running is None:
        return None
    deadline = time.monotonic() + wait_seconds
    try:
        with suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGTERM)
    except PermissionError:
        raise XnovuError(f"worker: process {running.pid} belongs to another user") from None
    while running.alive:
        if time.monotonic() > deadline:
            raise XnovuError(
                f"worker: process {running.pid} still runs after {wait_seconds:g} s; see its log"
            )
        time.sleep(_LOOK_SECONDS)
    return running.pid
