"""`xnovu worker`: the process that claims notifications and delivers them."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count

import click
import uvloop


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
    from xnovu_poller.service.executor import execute as run_executor
    from xnovu_poller.service.worker import Worker

_log = log.get(__name__)

_COLLECT_AFTER = (20_000, 10, 10)
"""Thresholds of the three generations: collect after this many new objects, and an older generation every tenth time."""


@click.group
def worker() -> None:
    """Run a worker that claims and delivers notifications.

    You can run any number of workers side by side.
    """


@worker.command
def start() -> None:
    """Claim due notifications and deliver them, in the foreground, until SIGTERM or Ctrl-C.

    When you stop it, it claims nothing more, finishes running deliveries, and returns claims that it has
    not handed off. A second signal ends it at once; another replica then takes over its work.

    Exit codes: 0 stopped, 2 wrong settings, 3 the database is not at this version's migration, 1 any
    other error.
    """
    loaded = _configure()
    for hint in settings.misspelt():
        _log.warning("unknown setting", hint=hint)
    uvloop.run(_run_until_signal(Worker(loaded).run))


@worker.command(hidden=True)
def execute() -> None:
    """Run only workflows and activities: a child process of a worker with WORKER_PROCESSES above 1.

    It stops when its standard input ends, so that it never outlives the worker that started it.
    """
    loaded = _configure()

    async def run(stop: asyncio.Event) -> None:
        asyncio.get_running_loop().add_reader(sys.stdin, _end_of_input, stop)
        await run_executor(loaded, stop)

    uvloop.run(_run_until_signal(run))


def _configure() -> settings.Settings:
    """Load the settings and configure logging by them."""
    loaded = settings.load()
    log.configure(loaded.log_level, loaded.log_format)
    if loaded.sentry_dsn is not None:
        log.report_to_sentry(loaded.sentry_dsn.get_secret_value())
    return loaded


def _end_of_input(stop: asyncio.Event) -> None:
    asyncio.get_running_loop().remove_reader(sys.stdin)
    stop.set()


async def _run_until_signal(run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until SIGTERM or Ctrl-C asks for a stop; a second signal ends the process at once."""
    # Objects that exist by now live until the end: collecting them again and again took 20 % of the CPU under load.
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    stop = asyncio.Event()
    signals = count()

    def request_stop() -> None:
        if next(signals) > 0:
            # The leases of everything that runs lapse, and another replica rescues it.
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, request_stop)
    await run(stop)
