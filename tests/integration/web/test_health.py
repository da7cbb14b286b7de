"""The health of a process: all probes run together, and each answer is in its place."""

import asyncio
from contextlib import suppress

import pytest

from tests.integration.web.conftest import always, failing, served
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.web import fresh, health
from xnovu_poller.web.health import Probe, ProbeAnswer


async def test_our_error_is_shown_with_code_and_message() -> None:
    """Our errors have messages without secrets."""
    async with served(Probe("database", failing(StoreUnavailable("connection refused")))) as client:
        body = (await client.get("/health")).json()

    component = body["components"]["database"]
    assert component["status"] == "unhealthy"
    assert component["detail"] == "store_unavailable: database: does not answer (connection refused)"


@pytest.mark.parametrize("error", [StoreUnavailable("connection refused"), RuntimeError("hush")])
async def test_a_dispensable_component_does_not_take_a_worker_out_of_service(error: Exception) -> None:
    """The probe defines the status of its failure."""
    async with served(Probe("chores", failing(error), failed="degraded")) as client:
        answer = await client.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_only_the_name_of_a_foreign_error_is_shown() -> None:
    """Its message may quote content that must not be shown."""
    async with served(Probe("database", failing(RuntimeError("hush")))) as client:
        answer = await client.get("/health")

    assert answer.json()["components"]["database"]["detail"] == "RuntimeError"
    assert "hush" not in answer.text


async def test_a_probe_without_an_answer_is_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging component neither blocks the page nor hides the others."""
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)
    never = asyncio.Event()

    async def ask() -> ProbeAnswer:
        await never.wait()
        return ProbeAnswer("healthy")

    async with served(Probe("slow", ask), Probe("quick", always(ProbeAnswer("healthy")))) as client:
        body = (await client.get("/health")).json()

    slow = body["components"]["slow"]
    assert (slow["status"], slow["detail"]) == ("unhealthy", "no answer within 0.05 s")
    assert body["components"]["quick"]["status"] == "healthy"


async def test_the_page_does_not_wait_for_a_probe_that_cannot_be_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A silent database may ignore the cancellation; it is asked again once it answers."""
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 0.0)
    answers_again = asyncio.Event()
    calls: list[int] = []

    async def ask() -> ProbeAnswer:
        calls.append(1)
        while not answers_again.is_set():
            with suppress(asyncio.CancelledError):
                await answers_again.wait()
        return ProbeAnswer("healthy")

    async with served(Probe("mute", ask)) as client:
        for _ in range(2):
            body = (await client.get("/health")).json()
            assert body["components"]["mute"]["detail"] == "no answer within 0.05 s"
        assert len(calls) == 1
        answers_again.set()
        assert (await client.get("/health")).status_code == 200


async def test_probes_run_concurrently() -> None:
    """Each waits for the other: in sequence they would never end."""
    meeting = asyncio.Barrier(2)

    async def ask() -> ProbeAnswer:
        await meeting.wait()
        return ProbeAnswer("healthy")

    async with served(Probe("a", ask), Probe("b", ask)) as client:
        assert (await client.get("/health")).status_code == 200


async def test_a_component_has_its_status_since_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers between do not count, even if their details differ."""
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 0.0)
    times = iter(["1", "2", "3", "4", "5", "6"])
    monkeypatch.setattr(health, "_now", lambda: next(times))
    answers = iter([ProbeAnswer("healthy"), ProbeAnswer("healthy", "still"), ProbeAnswer("degraded")])

    async def ask() -> ProbeAnswer:
        return next(answers)

    async with served(Probe("novu", ask)) as client:
        pages = [(await client.get("/health")).json() for _ in range(3)]

    seen = [(page["components"]["novu"]["status"], page["components"]["novu"]["since"]) for page in pages]
    assert seen == [("healthy", "1"), ("healthy", "1"), ("degraded", "4")]
