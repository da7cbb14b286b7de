"""The worker's HTTP server: /health, /status and /metrics."""

import asyncio
import math
import os
import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
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
from xnovu_poller.web.health import PROBE_SECONDS, HealthReport, Probe


class HealthServer:
    """Serves in the event loop that starts it; installs no signal handlers."""

    def __init__(
        self,
        host: str,
        port: int,
        probes: Sequence[Probe],
        status: Callable[[], Mapping[str, Any]],
        counted: metrics.Source = metrics.REGISTRY,
    ) -> None:
        """Prepare the server; it listens only after `start`.

        Args:
            host: an IPv4 or IPv6 address, or a name.
            port: 0 for any free port.
            status: returns what /status adds to the health: JSON values, no secret, no recipient.
            counted: the metrics that /metrics shows.
        """
        self.port = port
        self._host = host
        self._app = application(HealthReport(probes), status, counted)
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
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
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
    status: Callable[[], Mapping[str, Any]],
    counted: metrics.Source = metrics.REGISTRY,
) -> Starlette:
    """Build the three routes."""

    async def get_health(_request: Request) -> Response:
        health = await report.read()
        return JSONResponse(health, status_code=503 if health["status"] == "unhealthy" else 200)

    async def get_status(_request: Request) -> Response:
        return JSONResponse({**await report.read(), **status()})

    async def get_metrics(_request: Request) -> Response:
        return Response(generate_latest(counted), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/health", get_health),
            Route("/status", get_status),
            Route("/metrics", get_metrics),
        ],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
    )


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
