"""The window to the outside: /health, /status and /metrics; what to ask is handed in."""

import asyncio
import math
import os
import socket
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typing_extensions import override

from xnovu_poller import __version__
from xnovu_poller.errors import ConfigError, XnovuError
from xnovu_poller.metrics import REGISTRY, Counts

PROBE_SECONDS = 2.0
"""A probe that takes longer counts as failed."""

FRESH_SECONDS = 1.0
"""Answers of probes are shared by all who ask within this time."""

Health = Literal["healthy", "degraded", "unhealthy"]


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a probe found; `detail` is a sentence without secrets."""

    status: Health
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """A question of health, such as "does PostgreSQL answer?".

    Attributes:
        name: the component's.
        ask: the question.
        failed: what it means if there is no answer.
    """

    name: str
    ask: Callable[[], Awaitable[ProbeAnswer]]
    failed: Health = "unhealthy"


class Doctor:
    """Asks all probes at once, at most once in FRESH_SECONDS."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = tuple(probes)
        self._asking = asyncio.Lock()
        self._asked: dict[str, asyncio.Task[ProbeAnswer]] = {}
        self._answers: dict[str, ProbeAnswer] = {}
        self._fresh_until = 0.0
        self._born = time.monotonic()

    async def report(self) -> dict[str, Any]:
        """Give the health of the whole and of each component."""
        async with self._asking:
            if time.monotonic() >= self._fresh_until:
                answers = await asyncio.gather(*(self._ask(probe) for probe in self._probes))
                self._answers = {
                    probe.name: answer for probe, answer in zip(self._probes, answers, strict=True)
                }
                self._fresh_until = time.monotonic() + FRESH_SECONDS
        return {
            "status": _worst(self._answers.values()),
            "uptime": int(time.monotonic() - self._born),
            "version": __version__,
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "components": {
                name: {"status": answer.status, "detail": answer.detail}
                for name, answer in self._answers.items()
            },
        }

    async def _ask(self, probe: Probe) -> ProbeAnswer:
        """Wait for an answer as long as it is worth; a question that is left standing is not asked twice."""
        asked = self._asked.get(probe.name)
        if asked is None or asked.done():
            asked = self._asked[probe.name] = asyncio.create_task(_answer(probe))
        await asyncio.wait([asked], timeout=PROBE_SECONDS)
        if asked.done() and not asked.cancelled():
            return asked.result()
        # Its end is not waited for: a mute server is asked to give the question up, and is mute to that.
        asked.cancel()
        return ProbeAnswer(probe.failed, f"no answer within {PROBE_SECONDS:g} s")


class HealthServer:
    """Serves the window in the loop that starts it; installs no signal handlers."""

    def __init__(
        self,
        host: str,
        port: int,
        probes: Sequence[Probe],
        status: Callable[[], Mapping[str, Any]],
        counted: Counts = REGISTRY,
    ) -> None:
        """Prepare; nothing listens before `start`.

        Args:
            host: an IPv4 or IPv6 address, or a name.
            port: 0 for any free one.
            probes: what /health asks.
            status: what /status adds to it: JSON values, no secret, no recipient.
            counted: what /metrics shows.
        """
        self.port = port
        self._host = host
        self._app = application(Doctor(probes), status, counted)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; `port` is the real one from here on.

        Raises:
            ConfigError: the address cannot be had, nothing listens.
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
        """Stop listening and let open answers end; harmless when nothing was started."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._server = self._serving = None


def application(
    doctor: Doctor, status: Callable[[], Mapping[str, Any]], counted: Counts = REGISTRY
) -> Starlette:
    """Build the three pages."""

    async def health(_request: Request) -> Response:
        report = await doctor.report()
        return JSONResponse(report, status_code=503 if report["status"] == "unhealthy" else 200)

    async def in_full(_request: Request) -> Response:
        return JSONResponse({**await doctor.report(), **status()})

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(counted), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/health", health), Route("/status", in_full), Route("/metrics", metrics)],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
    )


class _Server(uvicorn.Server):
    @override
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # The worker decides what a signal means.
        yield


async def _answer(probe: Probe) -> ProbeAnswer:
    try:
        return await probe.ask()
    except XnovuError as error:
        return ProbeAnswer(probe.failed, f"{error.code}: {error}")
    except Exception as error:  # noqa: BLE001 - a page of health answers whatever is broken
        # A foreign sentence may quote what must not be shown.
        return ProbeAnswer(probe.failed, type(error).__name__)


def _worst(answers: Iterable[ProbeAnswer]) -> Health:
    found = {answer.status for answer in answers}
    if "unhealthy" in found:
        return "unhealthy"
    return "degraded" if "degraded" in found else "healthy"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # Its own words name the address once more.
        reason = os.strerror(error.errno) if error.errno else error.strerror
        fault = f"WORKER_HEALTH_PORT: cannot listen on {host}:{port} ({reason})"
        raise ConfigError([fault]) from error


async def _refuse(_request: Request, error: Exception) -> Response:
    match error:
        case HTTPException(status_code=code, detail=detail, headers=headers):
            return JSONResponse({"error": detail}, status_code=code, headers=headers)
        case _:
            return await _fail(_request, error)


async def _fail(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "Internal Server Error"}, status_code=500)
