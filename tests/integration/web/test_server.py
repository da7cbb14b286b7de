"""The window to the outside, on a real socket."""

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


async def test_all_well_is_200() -> None:
    """What each component says stands beside its name."""
    async with served(Probe("database", always(ProbeAnswer("healthy", "answers in 2 ms")))) as client:
        answer = await client.get("/health")

    told = answer.json()
    assert answer.status_code == 200
    assert told["status"] == "healthy"
    assert told["version"] == __version__
    assert told["uptime"] >= 0
    assert told["timestamp"].endswith("+00:00")
    assert told["components"] == {"database": {"status": "healthy", "detail": "answers in 2 ms"}}


async def test_a_degraded_worker_stays_in_service() -> None:
    """It works, if not as it should: 200."""
    probes = (Probe("a", always(ProbeAnswer("healthy"))), Probe("b", always(ProbeAnswer("degraded"))))
    async with served(*probes) as client:
        answer = await client.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_one_unhealthy_component_makes_503() -> None:
    """The worst answer is the answer."""
    probes = (
        Probe("a", always(ProbeAnswer("degraded"))),
        Probe("b", always(ProbeAnswer("unhealthy", "stopped"))),
    )
    async with served(*probes) as client:
        answer = await client.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")


async def test_status_tells_more_and_is_always_200() -> None:
    """The page for people adds what the worker knows of itself."""
    probe = Probe("temporal", always(ProbeAnswer("unhealthy")))
    async with served(probe, status=lambda: {"gate": "open", "loops": {"new": {"turns": 3}}}) as client:
        answer = await client.get("/status")

    told = answer.json()
    assert answer.status_code == 200
    assert told["status"] == "unhealthy"
    assert told["components"]["temporal"]["status"] == "unhealthy"
    assert (told["gate"], told["loops"]) == ("open", {"new": {"turns": 3}})


async def test_metrics_are_in_the_form_of_prometheus() -> None:
    """Its scraper reads the version of the format from the content type."""
    async with served() as client:
        answer = await client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE xnovu_notifications_sent_total counter" in answer.text


async def test_head_is_served() -> None:
    """Some health checks ask without wanting the body."""
    async with served() as client:
        answer = await client.head("/health")

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "code", "error"),
    [("GET", "/nowhere", 404, "Not Found"), ("POST", "/health", 405, "Method Not Allowed")],
)
async def test_refusals_are_json(method: str, path: str, code: int, error: str) -> None:
    """Whoever reads the pages with a program can read the refusals."""
    async with served() as client:
        answer = await client.request(method, path)

    assert (answer.status_code, answer.json()) == (code, {"error": error})


async def test_a_broken_status_is_a_500_in_json(caplog: pytest.LogCaptureFixture) -> None:
    """The page says that it is broken, the log says why."""

    def status() -> Mapping[str, Any]:
        raise RuntimeError("hush")

    async with served(status=status) as client:
        answer = await client.get("/status")

    assert (answer.status_code, answer.json()) == (500, {"error": "Internal Server Error"})


async def test_a_taken_port_is_a_fault_of_the_settings() -> None:
    """The fault names the variable to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = HealthServer("127.0.0.1", taken.getsockname()[1], (), dict)

        with pytest.raises(ConfigError, match=r"WORKER_HEALTH_PORT: cannot listen on 127\.0\.0\.1:"):
            await server.start()


async def test_after_stop_nothing_listens() -> None:
    """The port is free for the next worker at once; a second stop does no harm."""
    server = HealthServer("127.0.0.1", 0, (), dict)
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"http://127.0.0.1:{server.port}/health")
        await server.stop()

    await server.stop()
    with socket.create_server(("127.0.0.1", server.port)):
        pass


async def test_stop_right_after_start_ends() -> None:
    """A worker that fails while starting stops what it has started."""
    server = HealthServer("127.0.0.1", 0, (), dict)
    await server.start()

    await server.stop()


async def test_signals_stay_with_the_worker() -> None:
    """The server does not decide what SIGTERM means."""
    before = signal.getsignal(signal.SIGTERM)

    async with served() as client:
        await client.get("/health")
        assert signal.getsignal(signal.SIGTERM) is before
