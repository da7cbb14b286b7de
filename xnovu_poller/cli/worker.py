"""`xnovu worker`: the replica that claims notifications and delivers them."""

import asyncio
import os
import signal

import click

from xnovu_poller import log, settings
from xnovu_poller.service.worker import Worker

_log = log.get(__name__)


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
    given = settings.load()
    log.configure(given.log_level, given.log_format)
    if given.sentry_dsn is not None:
        log.report_to_sentry(given.sentry_dsn.get_secret_value())
    for stranger in settings.strangers():
        _log.warning("setting not known", hint=stranger)
    asyncio.run(_until_signalled(Worker(given)))


async def _until_signalled(service: Worker) -> None:
    stop = asyncio.Event()

    def ask() -> None:
        if stop.is_set():
            # Whatever is under way lapses, and is rescued by another replica.
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    await service.run(stop)
