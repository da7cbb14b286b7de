"""`xnovu api start`: the process that serves the API."""

import asyncio
import socket

import click
import uvloop

from xnovu_poller import log, settings
from xnovu_poller.cli.signals import configure, run_until_signal, stop_at_end_of_input
from xnovu_poller.errors import ConfigError
from xnovu_poller.metrics.combined import of_all_processes
from xnovu_poller.service.api import Api, serve
from xnovu_poller.settings import NovuSettings

_log = log.get(__name__)


@click.command
@click.option("--port", metavar="N", help="The port: API_PORT.")
def start(port: str | None) -> None:
    """Serve the API, in the foreground, until SIGTERM or Ctrl-C.

    DATABASE_URL is a login of its own, a member of `xnovu_api`. When you stop it, it accepts no more requests and finishes
    those that run. Without NOVU_SECRET_KEY it does all but ask Novu.

    Exit codes: 0 stopped, 2 wrong settings, 1 any other error.
    """
    if port is not None:
        settings.override(API_PORT=port)
    loaded = settings.load_api()
    configure(loaded)
    if hints := settings.hints():
        _log.warning("unknown settings", hints=hints)
    uvloop.run(run_until_signal(Api(loaded, _load_novu()).run))


@click.command(hidden=True)
@click.option("--listener", type=int, required=True, help="The file descriptor of the socket.")
def execute(listener: int) -> None:
    """Serve on a socket that another process listens on: a child of an API with API_PROCESSES above 1.

    It stops when its standard input ends, so that it never outlives that process.
    """
    loaded = settings.load_api()
    configure(loaded)

    async def run(stop: asyncio.Event) -> None:
        stop_at_end_of_input(stop)
        await serve(loaded, _load_novu(), socket.socket(fileno=listener), stop, of_all_processes())

    uvloop.run(run_until_signal(run))


def _load_novu() -> NovuSettings | ConfigError:
    try:
        return settings.load_novu()
    except ConfigError as error:
        return error
