"""The HTTP server on a real socket."""

import asyncio
import signal
import socket
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from typing_extensions import override

from tests.integration.web.conftest import always, nothing, served
from tests.support.waiting import WITHIN
from xnovu_poller import __version__, metrics
from xnovu_poller.errors import ConfigError
from xnovu_poller.web import fresh, health
from xnovu_poller.web.health import Probe, ProbeAnswer
from xnovu_poller.web.server import HealthServer


async def test_a_healthy_worker_answers_200(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detail of each component stands beside its name."""
    since = "2030-01-01T00:00:00+00:00"
    monkeypatch.setattr(health, "_now", lambda: since)
    async with served(Probe("database", always(ProbeAnswer("healthy", "answers in 2 ms")))) as client:
        answer = await client.get("/health")

    body = answer.json()
    assert answer.status_code == 200
    assert body["status"] == "healthy"
    assert body["version"] == __version__
    assert body["uptime"] >= 0
    assert body["timestamp"] == since
    assert body["components"] == {
        "database": {"status": "healthy", "since": since, "detail": "answers in 2 ms"}
    }


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


TOKEN = "a-token-of-monitoring"


@pytest.mark.parametrize("shown", [None, "Bearer", f"Bearer {TOKEN}x", TOKEN, f"Basic {TOKEN}", "Bearer ä"])
async def test_a_token_guards_what_names_enterprises(shown: str | None) -> None:
    """The pages of probes stay open; a refusal shows neither the token nor the page."""
    headers = [] if shown is None else [(b"Authorization", shown.encode())]
    async with served(status=lambda: {"enterprise": "acme"}, token=TOKEN) as client:
        refused = [await client.get(page, headers=headers) for page in ("/status", "/metrics")]
        open_to_all = [await client.get(page) for page in ("/livez", "/readyz", "/health")]
        allowed = [
            await client.get(page, headers={"Authorization": f"Bearer {TOKEN}"})
            for page in ("/status", "/metrics")
        ]

    for answer in refused:
        assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
        assert answer.headers["www-authenticate"] == "Bearer"
    assert {answer.status_code for answer in (*open_to_all, *allowed)} == {200}
    assert allowed[0].json()["enterprise"] == "acme"


async def test_status_is_made_once_for_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks PostgreSQL and Temporal, and clients in a loop must not."""
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 3600.0)
    made: list[int] = []

    def status() -> Mapping[str, Any]:
        made.append(1)
        return {}

    async with served(status=status) as client:
        await asyncio.gather(*(client.get("/status") for _ in range(5)))

    assert len(made) == 1


async def test_head_is_served() -> None:
    """Some health checks do not want the body."""
    async with served() as client:
        answer = await client.head("/health")

    assert (answer.status_code, answer.content) == (200, b"")


async def test_metrics_are_rendered_once_for_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that ask in a loop do not slow the worker down."""
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 3600.0)
    rendered: list[int] = []

    class Counted(metrics.Source):
        @override
        def collect(self) -> Iterable[Metric]:
            rendered.append(1)
            return ()

    async with served(counted=Counted()) as client:
        answers = await asyncio.gather(*(client.get("/metrics") for _ in range(5)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(rendered) == 1


async def test_livez_asks_nobody() -> None:
    """The event loop answers: a worker whose servers are away must not be restarted for it."""
    never = asyncio.Event()

    async def ask() -> ProbeAnswer:
        await never.wait()
        return ProbeAnswer("healthy")

    async with served(Probe("mute", ask)) as client:
        asking = asyncio.create_task(client.get("/health"))
        answer = await client.get("/livez")
        asking.cancel()

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_readyz_says_whether_the_worker_works() -> None:
    """What is wrong with other servers does not matter."""
    reasons = ["starting", None]
    probe = Probe("novu", always(ProbeAnswer("unhealthy")))
    async with served(probe, wait_reason=lambda: reasons[0]) as client:
        starting = await client.get("/readyz")
        del reasons[0]
        started = await client.get("/readyz")

    assert (starting.status_code, starting.json()) == (503, {"status": "not ready", "detail": "starting"})
    assert (started.status_code, started.json()) == (200, {"status": "ready"})


@pytest.mark.parametrize(
    ("method", "path", "code", "error"),
    [
        ("GET", "/nowhere", 404, "Not Found"),
        ("GET", "/health/", 404, "Not Found"),
        ("GET", "/%3Cscript%3E", 404, "Not Found"),
        ("POST", "/health", 405, "Method Not Allowed"),
    ],
)
async def test_refusals_are_json(method: str, path: str, code: int, error: str) -> None:
    """A program that reads the pages can read the refusals too."""
    async with served() as client:
        answer = await client.request(method, path, headers={"Host": "evil.example"})

    assert "evil.example" not in str(answer.headers)
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
        server = HealthServer("127.0.0.1", taken.getsockname()[1], (), nothing)

        with pytest.raises(ConfigError, match=r"WORKER_HEALTH_PORT: cannot listen on 127\.0\.0\.1:"):
            await server.start()


async def test_after_stop_nothing_listens() -> None:
    """The next worker can use the port at once; a second stop does no harm."""
    server = HealthServer("127.0.0.1", 0, (), nothing)
    await server.start()
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN) as client:
        await client.get(f"http://127.0.0.1:{server.port}/health")
        await server.stop()

    await server.stop()
    with socket.create_server(("127.0.0.1", server.port)):
        pass


async def test_a_stop_right_after_the_start_ends() -> None:
    """A worker that fails while starting stops the parts that it has started."""
    server = HealthServer("127.0.0.1", 0, (), nothing)
    await server.start()

    await server.stop()


async def test_signals_stay_with_the_worker() -> None:
    """The server leaves SIGTERM to the worker."""
    before = signal.getsignal(signal.SIGTERM)

    async with served() as client:
        await client.get("/health")
        assert signal.getsignal(signal.SIGTERM) is before
