"""`xnovu worker start`: the process that claims notifications and delivers them."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import uvloop

from xnovu_poller.cli.worker.launch import choose, collect, launch, open_log, start_options
from xnovu_poller.cli.worker.pid_file import PID_FILE, hold


@contextmanager
def _hide(library: str) -> Iterator[None]:
    """Let imports of a library fail, as if it were not installed, unless it is loaded already."""
    if library in sys.modules:
        yield
        return
    sys.modules[library] = None  # type: ignore[assignment] # Python reads None as "not installed"
    try:
        yield
    finally:
        del sys.modules[library]


# httpx and structlog import rich if they can, for a command line and for tracebacks that we do not use; it costs
# every process of a worker time and memory.
with _hide("rich"):
    from xnovu_poller import log, settings
    from xnovu_poller.cli.signals import configure, run_until_signal, stop_at_end_of_input
    from xnovu_poller.service.executor import execute as run_executor
    from xnovu_poller.service.worker import Worker

_log = log.get(__name__)


@click.command
@start_options
def start(
    pid_file: Path | None,
    log_file: Path | None,
    *,
    allow_superuser: bool,
    detach: bool,
    as_json: bool,
    **chosen: str | bool | None,
) -> None:
    """Claim due notifications and deliver them, in the foreground, until SIGTERM or Ctrl-C.

    When you stop it, it claims nothing more, finishes running deliveries, and returns claims that it has
    not handed off. A second signal ends it at once; another replica then takes over its work.

    The options win over the environment. A supervisor such as systemd or Kubernetes needs no --detach.

    Exit codes: 0 stopped, 2 wrong settings, 3 the database is not at this version's migration, 1 any
    other error.
    """
    options = collect(log_file, allow_superuser=allow_superuser, **chosen)
    choose(options)
    if as_json and not detach:
        settings.override(LOG_FORMAT="json")
    loaded = settings.load()
    if detach:
        launch(pid_file or PID_FILE, options, as_json=as_json)
        return
    if log_file is not None:
        _write_output_to(log_file)
    configure(loaded)
    if hints := settings.hints():
        _log.warning("unknown settings", hints=hints)
    with ExitStack() as stack:
        listening = stack.enter_context(hold(pid_file, options)) if pid_file else lambda: None
        uvloop.run(run_until_signal(Worker(loaded, allow_superuser=allow_superuser, listening=listening).run))


@click.command(hidden=True)
def execute() -> None:
    """Run only workflows and activities: a child process of a worker with WORKER_PROCESSES above 1.

    It stops when its standard input ends, so that it never outlives the worker that started it.
    """
    loaded = settings.load()
    configure(loaded)

    async def run(stop: asyncio.Event) -> None:
        stop_at_end_of_input(stop)
        await run_executor(loaded, stop)

    uvloop.run(run_until_signal(run))


def _write_output_to(path: Path) -> None:
    """Append all further output of this process to a file, which only its owner can read."""
    with open_log(path) as log_file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log_file.fileno(), stream.fileno())
