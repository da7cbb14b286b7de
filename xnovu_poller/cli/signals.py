"""Run a process until a signal asks it to stop, with logging and limits as all our processes have them."""

import asyncio
import gc
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count

from xnovu_poller import log
from xnovu_poller.settings import LogSettings

_COLLECT_AFTER = (20_000, 10, 10)
"""Thresholds of the three generations: collect after this many new objects, and an older generation every tenth time."""


def configure(settings: LogSettings) -> None:
    """Configure logging, and let this process open as many files as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems do not allow what they name as the limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    log.configure(settings.log_level, settings.log_format)
    if settings.sentry_dsn is not None:
        log.report_to_sentry(settings.sentry_dsn.get_secret_value())


async def run_until_signal(run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
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


def stop_at_end_of_input(stop: asyncio.Event) -> None:
    """Ask a child for a stop when its standard input ends: its parent has closed it, or is gone."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.remove_reader(sys.stdin)
        stop.set()

    loop.add_reader(sys.stdin, end)
