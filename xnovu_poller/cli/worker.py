"""`xnovu worker`: the replica that claims notifications and delivers them."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from itertools import count

import click
import uvloop

from xnovu_poller import log, settings
from xnovu_poller.service.executor import execute as run_executor
from xnovu_poller.service.worker import Worker

_log = log.get(__name__)

_COLLECT_AFTER = (20_000, 10, 10)
"""Objects more than before, and how often the young are looked through for once of the older."""


@click.group
def worker() -> None:
    """Run a worker; any number of them work side by side."""


@worker.command
def start() -> None:
    """Claim due notifications and deliver them, in the foreground, until SIGTERM or Ctrl-C.

    At a stop nothing more is claimed, deliveries under way are ended, claims not yet handed off are
    given back; a second signal leaves at once. Exit codes: 0 stopped, 2 settings, 3 the database is not
    at this version's migration, 1 anything else.
    """
    given = _configured()
    for stranger in settings.misspelt():
        _log.warning("setting not known", hint=stranger)
    uvloop.run(_until_signalled(Worker(given).run))


@worker.command(hidden=True)
def execute() -> None:
    """Carry out workflows, and nothing else: one of the further processes of WORKER_PROCESSES.

    It stops when its standard input ends, so that it never outlives the worker that started it.
    """
    given = _configured()

    async def run(stop: asyncio.Event) -> None:
        asyncio.get_running_loop().add_reader(sys.stdin, _end_of_input, stop)
        await run_executor(given, stop)

    uvloop.run(_until_signalled(run))


def _configured() -> settings.Settings:
    given = settings.load()
    log.configure(given.log_level, given.log_format)
    if given.sentry_dsn is not None:
        log.report_to_sentry(given.sentry_dsn.get_secret_value())
    return given


def _end_of_input(stop: asyncio.Event) -> None:
    asyncio.get_running_loop().remove_reader(sys.stdin)
    stop.set()


async def _until_signalled(run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until SIGTERM or Ctrl-C asks for a stop; the second one leaves at once."""
    # What stands by now stays: looking through it again and again took a fifth of the CPU under load.
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    stop = asyncio.Event()
    signals = count()

    def ask() -> None:
        if next(signals) > 0:
            # Whatever is under way lapses, and is rescued by another replica.
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    await run(stop)
