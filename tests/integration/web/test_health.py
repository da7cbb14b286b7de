"""The health of a process: all probes asked together, each answer in its place."""

import asyncio
from contextlib import suppress

import pytest

from tests.integration.web.conftest import always, failing, served
from xnovu_poller.errors import StoreUnavailable
from xnovu_poller.web import health
from xnovu_poller.web.health import Probe, ProbeAnswer


async def test_our_error_is_told_by_code_and_sentence() -> None:
    """An error of the tree writes a sentence without secrets."""
    async with served(Probe("database", failing(StoreUnavailable("connection refused")))) as client:
        told = (await client.get("/health")).json()

    assert told["components"]["database"] == {
        "status": "unhealthy",
        "detail": "store_unavailable: database: does not answer (connection refused)",
    }


@pytest.mark.parametrize("error", [StoreUnavailable("connection refused"), RuntimeError("hush")])
async def test_a_component_that_others_can_do_without_takes_nobody_out_of_service(error: Exception) -> None:
    """The probe says what its failure means."""
    async with served(Probe("chores", failing(error), failed="degraded")) as client:
        answer = await client.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_a_foreign_error_is_told_by_its_name_alone() -> None:
    """Its sentence may quote what must not be shown."""
    async with served(Probe("database", failing(RuntimeError("hush")))) as client:
        answer = await client.get("/health")

    assert answer.json()["components"]["database"]["detail"] == "RuntimeError"
    assert "hush" not in answer.text


async def test_a_probe_without_an_answer_is_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """One hanging component does not hang the page, nor hide the others."""
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)
    never = asyncio.Event()

    async def ask() -> ProbeAnswer:
        await never.wait()
        return ProbeAnswer("healthy")

    async with served(Probe("slow", ask), Probe("quick", always(ProbeAnswer("healthy")))) as client:
        told = (await client.get("/health")).json()

    assert told["components"]["slow"] == {"status": "unhealthy", "detail": "no answer within 0.05 s"}
    assert told["components"]["quick"]["status"] == "healthy"


async def test_a_probe_that_cannot_be_given_up_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mute database does not hear that its answer is no longer wanted; it is asked again when it speaks."""
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    speaks = asyncio.Event()
    asked: list[int] = []

    async def ask() -> ProbeAnswer:
        asked.append(1)
        while not speaks.is_set():
            with suppress(asyncio.CancelledError):
                await speaks.wait()
        return ProbeAnswer("healthy")

    async with served(Probe("mute", ask)) as client:
        for _ in range(2):
            told = (await client.get("/health")).json()
            assert told["components"]["mute"]["detail"] == "no answer within 0.05 s"
        assert len(asked) == 1
        speaks.set()
        assert (await client.get("/health")).status_code == 200


async def test_probes_are_asked_side_by_side() -> None:
    """Each waits for the other here: one after the other would never end."""
    meeting = asyncio.Barrier(2)

    async def ask() -> ProbeAnswer:
        await meeting.wait()
        return ProbeAnswer("healthy")

    async with served(Probe("a", ask), Probe("b", ask)) as client:
        assert (await client.get("/health")).status_code == 200


async def test_many_askers_share_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd of probes from outside is no load on the database."""
    monkeypatch.setattr(health, "FRESH_SECONDS", 3600.0)
    asked: list[int] = []

    async def ask() -> ProbeAnswer:
        asked.append(1)
        return ProbeAnswer("healthy")

    async with served(Probe("database", ask)) as client:
        await asyncio.gather(*(client.get("/health") for _ in range(5)))

    assert len(asked) == 1


async def test_an_old_answer_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told is never older than FRESH_SECONDS."""
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    answers = iter([ProbeAnswer("healthy"), ProbeAnswer("unhealthy")])

    async def ask() -> ProbeAnswer:
        return next(answers)

    async with served(Probe("database", ask)) as client:
        found = [(await client.get("/health")).status_code for _ in range(2)]

    assert found == [200, 503]
