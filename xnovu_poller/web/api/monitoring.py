"""The addresses for monitoring: the health of all that the API needs, and metrics."""

import hmac
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from xnovu_poller import metrics
from xnovu_poller.web.api.admission import unauthorized
from xnovu_poller.web.api.application import counted
from xnovu_poller.web.fresh import Fresh
from xnovu_poller.web.health import HealthReport

COMPONENTS = ("database", "novu", "workflows", "temporal")
"""What /api/health names."""

_STARTED = time.monotonic()
_NO_STORE = {"Cache-Control": "no-store"}


def routes(
    report: HealthReport,
    workflows: Callable[[], Mapping[str, int]],
    counts: metrics.Source,
    token: str | None,
) -> list[Route]:
    """Return the routes.

    Args:
        report: the health of the components.
        workflows: returns how many workflows of each type are published, as far as it is known.
        counts: what /metrics shows.
        token: what a client of both pages of metrics must show; None: nothing.
    """

    async def get_health(_request: Request) -> Response:
        components = (await report.read())["components"]
        # The details name servers, and anybody may ask.
        states = {
            name: {"status": "ok" if components[name]["status"] != "unhealthy" else "error"}
            for name in COMPONENTS
        }
        healthy = all(state["status"] == "ok" for state in states.values())
        body = {**states, "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds")}
        return JSONResponse(body, 200 if healthy else 500, _NO_STORE)

    async def get_json(request: Request) -> Response:
        _check(request, token)
        return JSONResponse(_describe(workflows()), headers=_NO_STORE)

    async def render() -> bytes:
        return generate_latest(counts)

    rendered = Fresh(render)

    async def get_metrics(request: Request) -> Response:
        _check(request, token)
        return Response(await rendered.read(), media_type=CONTENT_TYPE_LATEST)

    pages: Mapping[str, Callable[[Request], Awaitable[Response]]] = {
        "/api/health": get_health,
        "/api/metrics": get_json,
        "/metrics": get_metrics,
    }
    return [Route(path, counted(path, page)) for path, page in pages.items()]


def _check(request: Request, token: str | None) -> None:
    """Refuse a client without the token, if there is one."""
    if token is None:
        return
    shown = request.headers.get("authorization", "").encode()
    # In constant time: otherwise the time of an answer would show how much of a guess is right.
    if not hmac.compare_digest(shown, f"Bearer {token}".encode()):
        raise unauthorized()


def _describe(workflows: Mapping[str, int]) -> dict[str, Any]:
    # Linux counts kilobytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "workflows": {"total": sum(workflows.values()), **workflows},
        "uptime": round(time.monotonic() - _STARTED, 3),
        "memory": {"maxRss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit},
        "timestamp": int(time.time() * 1000),
    }
