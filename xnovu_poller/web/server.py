"""The worker's HTTP server: /livez, /readyz, /health, /status and /metrics."""

import asyncio
import hmac
import math
import os
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typing_extensions import override

from xnovu_poller import metrics
from xnovu_poller.errors import ConfigError
from xnovu_poller.web.connections import MOST_HEADER_BYTES, BoundedConnection
from xnovu_poller.web.fresh import Fresh
from xnovu_poller.web.health import PROBE_SECONDS, HealthReport, Probe


@dataclass(frozen=True, slots=True)
class Exposition:
    """What /metrics shows.

    Attributes:
        counted: the metrics.
        measure: sets the gauges to what they are now; it gets the answer of /health.
    """

    counted: metrics.Source = metrics.REGISTRY
    measure: Callable[[Mapping[str, Any]], Awaitable[None]] | None = None

    async def render(self, report: HealthReport) -> bytes:
        """Measure, and return the text for Prometheus."""
        if self.measure is not None:
            await self.measure(await report.read())
        # In a thread: with children it reads their files.
        return await asyncio.to_thread(generate_latest, self.counted)


ALL = Exposition()
"""All metrics of this process, as they are."""

Page = Callable[[Request], Awaitable[Response]]

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class HealthServer:
    """Serves in the event loop that starts it; installs no signal handlers.

    Attributes:
        port: the real port, after `start`.
        report: what /health answers.
    """

    def __init__(  # noqa: PLR0913 - the parts of a server, each named
        self,
        host: str,
        port: int,
        probes: Sequence[Probe],
        status: Callable[[], Awaitable[Mapping[str, Any]]],
        exposition: Exposition = ALL,
        *,
        wait_reason: Callable[[], str | None] = lambda: None,
        token: str | None = None,
    ) -> None:
        """Prepare the server; it listens only after `start`.

        Args:
            host: an IPv4 or IPv6 address, or a name.
            port: 0 for any free port.
            status: returns what /status adds to the health: JSON values, no secret, no recipient.
            exposition: what /metrics shows.
            wait_reason: returns why the process does not work now, or None; for /readyz.
            token: what a client of /status and /metrics must show; None: nothing.
        """
        self.port = port
        self._host = host
        self.report = HealthReport(probes)
        self._app = application(self.report, status, exposition, wait_reason, token)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; from now on, `port` is the real port.

        Raises:
            ConfigError: the address is not available; nothing listens.
        """
        listener = _listen(self._host, self.port)
        self.port = listener.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self._app,
                http=BoundedConnection,
                h11_max_incomplete_event_size=MOST_HEADER_BYTES,
                # No client keeps a connection: so there is no idle time to bound, and nothing to pipeline.
                headers=[("connection", "close")],
                ws="none",
                lifespan="off",
                log_config=None,
                # Its warnings are about the requests of clients, who could fill the log.
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                # A client whose connection does not fit into the queue tries again only after a second.
                backlog=4096,
                timeout_graceful_shutdown=math.ceil(PROBE_SECONDS) + 1,
            )
        )
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="health server")

    async def stop(self) -> None:
        """Stop listening and finish open responses; does nothing if it was not started."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._server = self._serving = None


def application(
    report: HealthReport,
    status: Callable[[], Awaitable[Mapping[str, Any]]],
    exposition: Exposition,
    wait_reason: Callable[[], str | None],
    token: str | None,
) -> Starlette:
    """Build the routes."""
    rendered, described = Fresh(partial(exposition.render, report)), Fresh(status)

    async def get_livez(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def get_readyz(_request: Request) -> Response:
        reason = wait_reason()
        if reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "detail": reason}, status_code=503)

    async def get_health(_request: Request) -> Response:
        health = await report.read()
        return JSONResponse(health, status_code=503 if health["status"] == "unhealthy" else 200)

    async def get_status(_request: Request) -> Response:
        return JSONResponse({**await report.read(), **await described.read()})

    async def get_metrics(_request: Request) -> Response:
        return Response(await rendered.read(), media_type=CONTENT_TYPE_LATEST)

    app = Starlette(
        routes=[
            Route("/livez", get_livez),
            Route("/readyz", get_readyz),
            Route("/health", get_health),
            Route("/status", _guard(get_status, token)),
            Route("/metrics", _guard(get_metrics, token)),
        ],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
    )
    # A redirect would lead to the host that the client has named.
    app.router.redirect_slashes = False
    return app


def _guard(page: Page, token: str | None) -> Page:
    """Return a page that only a client with the token gets, if there is one; the others cost next to nothing."""
    if token is None:
        return page
    expected = f"Bearer {token}".encode()

    async def guarded(request: Request) -> Response:
        shown = request.headers.get("authorization", "").encode()
        # In constant time: otherwise the time of an answer would show how much of a guess is right.
        if hmac.compare_digest(shown, expected):
            return await page(request)
        return JSONResponse({"error": "Unauthorized"}, status_code=401, headers=_CHALLENGE)

    return guarded


class _Server(uvicorn.Server):
    @override
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # The worker decides what a signal means.
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # The error's own message repeats the address.
        reason = os.strerror(error.errno) if error.errno else error.strerror
        fault = f"WORKER_HEALTH_PORT: cannot listen on {host}:{port} ({reason})"
        raise ConfigError([fault]) from error


async def _refuse(request: Request, error: Exception) -> Response:
    match error:
        case HTTPException(status_code=code, detail=detail, headers=headers):
            return JSONResponse({"error": detail}, status_code=code, headers=headers)
        case _:
            return await _fail(request, error)


async def _fail(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "Internal Server Error"}, status_code=500)
