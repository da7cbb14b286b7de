"""The whole worker: it waits for its servers, shows its state, and passes its settings to its parts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.integration.service.conftest import Environment, is_sent, listens
from tests.support.proxy import proxied
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import eventually
from tests.support.worker import WorkerProgram, running_worker
from xnovu_poller.dev.ports import LOOPBACK

NOT_STARTED = ("degraded", "not started")


async def health(worker: WorkerProgram) -> tuple[int, dict[str, Any]]:
    """Return the health of each component, while the proxy in this event loop keeps running."""
    answer = await asyncio.to_thread(worker.get, "health")
    components = answer.json()["components"].items()
    return answer.status_code, {name: (part["status"], part["detail"]) for name, part in components}


async def until_healthy(worker: WorkerProgram) -> None:
    """Wait until the start has completed by itself."""

    async def is_healthy() -> bool:
        return (await health(worker))[0] == 200

    await eventually(is_healthy)


async def test_the_worker_waits_for_a_database_that_comes_later(
    database: str, worker_environment: Environment, tmp_path: Path
) -> None:
    """The log and /health have the same sentence, without the password."""
    async with proxied(database) as proxy:
        proxy.cut()
        environment = {**worker_environment, "DATABASE_URL": proxy.through(database)}
        with running_worker(tmp_path, **environment) as worker:
            line = await asyncio.to_thread(worker.until_logged, "start waits")
            code, components = await health(worker)
            assert code == 503
            assert components.pop("database") == ("unhealthy", line["reason"])
            assert components == dict.fromkeys(
                ("temporal", "novu", "worker", "loops", "deliveries", "chores"), NOT_STARTED
            )
            assert await asyncio.to_thread(worker.metric, "xnovu_gate_open") == 1
            assert line["reason"].startswith("database: ")
            proxy.mend()
            await until_healthy(worker)
            assert await asyncio.to_thread(worker.stop) == 0
            assert database.partition("@")[0].rpartition(":")[2] not in worker.log.read_text()


def reports(db: Db) -> list[str]:
    """Return how each worker that reports of itself finds the database."""
    found = db.execute(
        "SELECT health -> 'components' -> 'database' ->> 'status' AS is FROM notify.worker_report"
    )
    return [report["is"] for report in found]


async def test_the_worker_waits_for_a_temporal_that_comes_later(
    db: Db, worker_environment: Environment, tmp_path: Path
) -> None:
    """The sentence names the setting; rows due meanwhile are sent."""
    made = a_notification(db, workflow=a_workflow(db))
    async with proxied(f"tcp://{worker_environment['TEMPORAL_ADDRESS']}") as proxy:
        proxy.cut()
        address = f"{LOOPBACK}:{proxy.port}"
        with running_worker(tmp_path, **{**worker_environment, "TEMPORAL_ADDRESS": address}) as worker:
            line = await asyncio.to_thread(worker.until_logged, "start waits")
            code, components = await health(worker)
            assert code == 503
            assert components.pop("temporal") == ("unhealthy", line["reason"])
            assert components.pop("database")[0] == "healthy"
            assert components == dict.fromkeys(
                ("novu", "worker", "loops", "deliveries", "chores"), NOT_STARTED
            )
            assert "check TEMPORAL_ADDRESS" in line["reason"]
            assert address not in line["reason"]
            proxy.mend()
            await until_healthy(worker)
            await eventually(lambda: is_sent(db, made))
            await eventually(lambda: reports(db) == ["healthy"])
            assert await asyncio.to_thread(worker.stop) == 0
    # Its last report counts what it has sent; nobody takes it for lost.
    assert reports(db) == []
    assert db.execute("SELECT sum(sent) AS sent FROM notify.minute").fetchone() == {"sent": 1}


@pytest.mark.parametrize("what", ["DATABASE_URL", "TEMPORAL_ADDRESS"])
async def test_a_stop_works_while_a_server_does_not_answer(
    what: str, worker_environment: Environment, tmp_path: Path
) -> None:
    """The server accepts the connection and never answers."""
    url = worker_environment[what]
    async with proxied(url if "//" in url else f"tcp://{url}") as proxy:
        proxy.hang()
        address = proxy.through(url) if "//" in url else f"{LOOPBACK}:{proxy.port}"
        with running_worker(tmp_path, **{**worker_environment, what: address}) as worker:
            await asyncio.to_thread(worker.until_logged, "health served")
            await eventually(lambda: proxy._writers)
            worker.ask()
            assert await asyncio.to_thread(worker.ended) == 0
            assert worker.lines("worker stopped")


@pytest.mark.parametrize("wakeup", ["on", "off"])
async def test_a_stop_does_not_interrupt_a_handoff(
    db: Db, worker_environment: Environment, tmp_path: Path, wakeup: str
) -> None:
    """The turn under way ends first, with and without wake-ups: no claim is left without a run.

    The order is certain because the stop comes while Temporal is starting the run; before that, the claim is released.
    """
    async with proxied(f"tcp://{worker_environment['TEMPORAL_ADDRESS']}") as proxy:
        environment = {
            **worker_environment,
            "TEMPORAL_ADDRESS": f"{LOOPBACK}:{proxy.port}",
            "POLL_WAKEUP": wakeup,
            "POLL_INTERVAL_MS": "600000" if wakeup == "on" else "100",
            "LEASE_MS": "60000",
            "LOG_LEVEL": "debug",
        }
        with running_worker(tmp_path, **environment) as worker:
            await asyncio.to_thread(worker.until_logged, "worker started")
            await until_healthy(worker)
            if wakeup == "on":
                await eventually(lambda: asyncio.to_thread(listens, worker))
            proxy.hang()
            made = a_notification(db, workflow=a_workflow(db))
            await asyncio.to_thread(worker.until_logged, "notification claimed")
            # The start request follows in the same turn, before the worker can answer. This page asks no server, so
            # the request is still open: it is given up after ten seconds.
            assert (await asyncio.to_thread(worker.get, "livez")).status_code == 200
            assert row(db, made)["notification_status"] == "PROCESSING"
            worker.ask()
            await asyncio.to_thread(worker.until_logged, "worker stopping")
            proxy.mend()
            assert await asyncio.to_thread(worker.ended) == 0
        with running_worker(tmp_path, **{**worker_environment, "FAILED_POLL_INTERVAL_MS": "600000"}):
            await eventually(lambda: is_sent(db, made))
    assert row(db, made)["attempt"] == 1
