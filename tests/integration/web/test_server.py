"""The HTTP server on a real socket."""

import signal
import socket
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.integration.web.conftest import always, served
from xnovu_poller import __version__
from xnovu_poller.errors import ConfigError
from xnovu_poller.web.health import Probe, ProbeAnswer
from xnovu_poller.web.server import HealthServer


async def test_a_healthy_worker_answers_200() -> None:
    """The detail of each component stands beside its name."""
    async with served(Probe("database", always(ProbeAnswer("healthy", "answers in 2 ms")))) as client:
        answer = await client.get("/health")

    body = answer.json()
    assert answer.status_code == 200
    assert body["status"] == "healthy"
    assert body["version"] == __version__
    assert body["uptime"] >= 0
    assert body["timestamp"].endswith("+00:00")
    assert body["components"] == {"database": {"status": "healthy", "detail": "answers in 2 ms"}}


async def test_a_degraded_worker_stays_in_service() -> None:
    """It works, although not fully, so the answer is 200."""
    probes = (Probe("a", always(ProbeAnswer("healthy"))), Probe("b", always(ProbeAnswer("degraded"))))
    async with served(*probes) as client:
        answer = await client.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_an_unhealthy_component_makes_503() -> None:
    """The worst status is the status of the whole."""
    probes = (
        Probe("a", always(ProbeAnswer("degraded"))),
        Probe("b", always(ProbeAnswer("unhealthy", "stopped"))),
    )
    async with served(*probes) as client:
        answer = await client.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")


async def test_status_shows_more_and_is_always_200() -> None:
    """The page for people adds the worker's own figures."""
    probe = Probe("temporal", always(ProbeAnswer("unhealthy")))
    async with served(probe, status=lambda: {"gate": "open", "loops": {"new": {"turns": 3}}}) as client:
        answer = await client.get("/status")

    body = answer.json()
    assert answer.status_code == 200
    assert body["status"] == "unhealthy"
    assert body["components"]["temporal"]["status"] == "unhealthy"
    assert (body["gate"], body["loops"]) == ("open", {"new": {"turns": 3}})


async def test_metrics_are_in_prometheus_format() -> None:
    """The scraper reads the version of the format from the content type."""
    async with served() as client:
        answer = await client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE xnovu_notifications_sent_total counter" in answer.text


async def test_head_is_served() -> None:
    """Some health checks do not want the body."""
    async with served() as client:
        answer = await client.head("/health")

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "code", "error"),
    [("GET", "/nowhere", 404, "Not Found"), ("POST", "/health", 405, "Method Not Allowed")],
)
async def test_refusals_are_json(method: str, path: str, code: int, error: str) -> None:
    """A program that reads the pages can read the refusals too."""
    async with served() as client:
        answer = await client.request(method, path)

    assert (answer.status_code, answer.json()) == (code, {"error": error})


async def test_a_broken_status_is_a_500_in_json(caplog: pytest.LogCaptureFixture) -> None:
    """The page shows only that it is broken; the log has the reason."""

    def status() -> Mapping[str, Any]:
        raise RuntimeError("hush")

    async with served(status=status) as client:
        answer = await client.get("/status")

    assert (answer.status_code, answer.json()) == (500, {"error": "Internal Server Error"})


async def test_a_port_in_use_is_an_error_of_the_settings() -> None:
    """The error names the variable to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = HealthServer("127.0.0.1", taken.getsockname()[1], (), dict)

        with pytest.raises(ConfigError, match=r"WORKER_HEALTH_PORT: cannot listen on 127\.0\.0\.1:"):
            await server.start()


async def test_after_stop_nothing_listens() -> None:
    """The next worker can use the port at once; a second stop does no harm."""
    server = HealthServer("127.0.0.1", 0, (), dict)
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"http://127.0.0.1:{server.port}/health")
        await server.stop()

    await server.stop()
    with socket.create_server(("127.0.0.1", server.port)):
        pass


async def test_a_stop_right_after_the_start_ends() -> None:
    """A worker that fails while starting stops the parts that it has started."""
    server = HealthServer("127.0.0.1", 0, (), dict)
    await server.start()

    await server.stop()


async def test_signals_stay_with_the_worker() -> None:
    """The server leaves SIGTERM to the worker."""
    before = signal.getsignal(signal.SIGTERM)

    async with served() as client:
        await client.get("/health")
        assert signal.getsignal(signal.SIGTERM) is before
