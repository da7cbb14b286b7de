"""The HTTP server of a process of the API."""

import asyncio
import math
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from xnovu_poller import log
from xnovu_poller.errors import ConfigError
from xnovu_poller.web.api.connections import KeptConnection
from xnovu_poller.web.connections import MOST_HEADER_BYTES

_log = log.get(__name__)


class ApiServer:
    """Serves an application on a listening socket in the event loop that runs it; installs no signal handlers.

    Args:
        drain: how long running requests have at a stop.
    """

    def __init__(self, app: Starlette, drain: timedelta) -> None:
        self._server = _Server(
            uvicorn.Config(
                _Quiet(app),
                http=KeptConnection,
                h11_max_incomplete_event_size=MOST_HEADER_BYTES,
                timeout_keep_alive=30,
                ws="none",
                lifespan="off",
                log_config=None,
                # Its warnings are about the requests of clients, who could fill the log.
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=4096,
                timeout_graceful_shutdown=math.ceil(drain.total_seconds()),
            )
        )

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serve until asked to stop; then accept no more, and finish the running requests."""
        serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="api server")
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        self._server.should_exit = True
        await serving


class _Quiet:
    """Logs an error of the application by its type and its place. Starlette raises it again after the answer, and uvicorn would
    log its message, which may quote what a tenant wrote.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - each request has an answer by now
            log.bug(_log, "request failed", error)


class _Server(uvicorn.Server):
    @override
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # The command decides what a signal means.
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 stands for any free port.

    Raises:
        ConfigError: the address is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=4096)
    except OSError as error:
        # The error's own message repeats the address.
        reason = os.strerror(error.errno) if error.errno else error.strerror
        raise ConfigError([f"API_PORT: cannot listen on {host}:{port} ({reason})"]) from error
    return listener
