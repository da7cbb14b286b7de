"""The worker as a whole: what it waits for, what it shows, and that its settings reach its parts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.integration.service.conftest import Told, is_sent, listens
from tests.support.proxy import proxied
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.waiting import eventually
from tests.support.worker import WorkerProgram, running_worker
from xnovu_poller.dev.ports import LOOPBACK


async def health(worker: WorkerProgram) -> tuple[int, dict[str, Any]]:
    """Ask for the health, and let the proxy in this event loop go on meanwhile."""
    answer = await asyncio.to_thread(worker.get, "health")
    return answer.status_code, answer.json()["components"]


def claims_counted(worker: WorkerProgram) -> bool:
    """Say whether the worker has claimed something."""
    return worker.metric("xnovu_notifications_claimed_total") > 0


async def healed(worker: WorkerProgram) -> None:
    """Wait for a start that goes on by itself."""

    async def well() -> bool:
        return (await health(worker))[0] == 200

    await eventually(well)


async def test_a_database_that_comes_later_is_waited_for(
    database: str, worker_environment: Told, tmp_path: Path
) -> None:
    """One sentence says so in the log and at /health, and never the password."""
    async with proxied(database) as proxy:
        proxy.cut()
        environment = {**worker_environment, "DATABASE_URL": proxy.through(database)}
        with running_worker(tmp_path, **environment) as worker:
            line = await asyncio.to_thread(worker.until_logged, "start waits")
            code, components = await health(worker)
            assert code == 503
            assert components["database"] == {"status": "unhealthy", "detail": line["reason"]}
            assert line["reason"].startswith("database: does not answer (")
            proxy.mend()
            await healed(worker)
            assert await asyncio.to_thread(worker.stop) == 0
            assert database.partition("@")[0].rpartition(":")[2] not in worker.log.read_text()


async def test_a_temporal_that_comes_later_is_waited_for(
    db: Db, worker_environment: Told, tmp_path: Path
) -> None:
    """The address is told; what was due meanwhile is sent."""
    made = a_notification(db, workflow=a_workflow(db))
    async with proxied(f"tcp://{worker_environment['TEMPORAL_ADDRESS']}") as proxy:
        proxy.cut()
        address = f"{LOOPBACK}:{proxy.port}"
        with running_worker(tmp_path, **{**worker_environment, "TEMPORAL_ADDRESS": address}) as worker:
            line = await asyncio.to_thread(worker.until_logged, "start waits")
            code, components = await health(worker)
            assert (code, components["temporal"]["detail"]) == (503, line["reason"])
            assert f"no connection to {address}; check TEMPORAL_ADDRESS" in line["reason"]
            proxy.mend()
            await healed(worker)
            await eventually(lambda: is_sent(db, made))
            assert await asyncio.to_thread(worker.stop) == 0


@pytest.mark.parametrize("what", ["DATABASE_URL", "TEMPORAL_ADDRESS"])
async def test_a_stop_while_a_server_says_nothing_is_heard(
    what: str, worker_environment: Told, tmp_path: Path
) -> None:
    """The server takes the connection and never answers."""
    url = worker_environment[what]
    async with proxied(url if "//" in url else f"tcp://{url}") as proxy:
        proxy.hang()
        leads = proxy.through(url) if "//" in url else f"{LOOPBACK}:{proxy.port}"
        with running_worker(tmp_path, **{**worker_environment, what: leads}) as worker:
            await asyncio.to_thread(worker.until_logged, "health served")
            await eventually(lambda: proxy._writers)
            worker.ask()
            assert await asyncio.to_thread(lambda: worker.ended(within=8)) == 0


@pytest.mark.parametrize("wakeup", ["on", "off"])
async def test_a_stop_does_not_cut_a_handoff_short(
    db: Db, worker_environment: Told, tmp_path: Path, wakeup: str
) -> None:
    """The turn under way ends first, whoever had called for it: no claim is left without a workflow.

    Certain, for the stop comes while Temporal is asked for the workflow; a stop before that gives the claim back.
    """
    async with proxied(f"tcp://{worker_environment['TEMPORAL_ADDRESS']}") as proxy:
        environment = {
            **worker_environment,
            "TEMPORAL_ADDRESS": f"{LOOPBACK}:{proxy.port}",
            "POLL_WAKEUP": wakeup,
            "POLL_INTERVAL_MS": "600000" if wakeup == "on" else "100",
            "LEASE_MS": "60000",
        }
        with running_worker(tmp_path, **environment) as worker:
            await asyncio.to_thread(worker.until_logged, "worker started")
            await healed(worker)
            if wakeup == "on":
                await eventually(lambda: asyncio.to_thread(listens, worker))
            proxy.hang()
            made = a_notification(db, workflow=a_workflow(db))
            await eventually(lambda: asyncio.to_thread(claims_counted, worker))
            # Temporal is asked in the same turn, without a wait: before the worker answers once more.
            assert await asyncio.to_thread(claims_counted, worker)
            assert row(db, made)["notification_status"] == "PROCESSING"
            worker.ask()
            await asyncio.to_thread(worker.until_logged, "worker stopping")
            proxy.mend()
            assert await asyncio.to_thread(worker.ended) == 0
        with running_worker(tmp_path, **{**worker_environment, "FAILED_POLL_INTERVAL_MS": "600000"}):
            await eventually(lambda: is_sent(db, made))
    assert row(db, made)["attempt"] == 1
