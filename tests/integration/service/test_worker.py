"""The worker as a whole: what it waits for, what it shows, and that its settings reach its parts."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.novu import NovuStandIn
from tests.support.proxy import proxied
from tests.support.rows import Db, a_notification, a_workflow, row, written
from tests.support.waiting import eventually, wait_until
from tests.support.worker import WorkerProgram, deliveries, running_worker
from xnovu_poller.dev.ports import LOOPBACK

Told = Mapping[str, str]


async def health(worker: WorkerProgram) -> tuple[int, dict[str, Any]]:
    """Ask for the health, and let the proxy in this event loop go on meanwhile."""
    answer = await asyncio.to_thread(worker.get, "health")
    return answer.status_code, answer.json()["components"]


def is_sent(db: Db, notification_id: int) -> bool:
    """Say whether a notification was sent."""
    return bool(row(db, notification_id)["notification_status"] == "SENT")


def listens(worker: WorkerProgram) -> bool:
    """Say whether wake-ups would be heard."""
    return bool(worker.get_status()["wakeup"]["listening"])


def claims_counted(worker: WorkerProgram) -> bool:
    """Say whether the worker has claimed something."""
    return worker.metric("xnovu_notifications_claimed_total") > 0


def ahead(**span: float) -> datetime:
    """Give a time that has not come yet."""
    return datetime.now(UTC) + timedelta(**span)


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


def test_a_missing_namespace_is_told(worker_environment: Told, tmp_path: Path) -> None:
    """It may be created while the worker waits; a stop is heard meanwhile."""
    with running_worker(tmp_path, **worker_environment, TEMPORAL_NAMESPACE="nowhere") as worker:
        line = worker.until_logged("start waits")
        assert "namespace nowhere does not exist; create it, or set TEMPORAL_NAMESPACE" in line["reason"]
        assert worker.component("temporal")["detail"] == line["reason"]
        assert worker.stop() == 0


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


def test_a_wrong_key_stops_the_claims_and_fails_nobody(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """/health says what a person has to mend."""
    novu_standin.switch(secret_key="another")
    workflow = a_workflow(db)
    made = [a_notification(db, workflow=workflow) for _ in range(5)]
    with running_worker(tmp_path, **worker_environment) as worker:
        wait_until(lambda: "check NOVU_SECRET_KEY" in worker.component("novu")["detail"])
        assert worker.get("health").status_code == 503
        wait_until(lambda: {row(db, one)["notification_status"] for one in made} == {"PENDING"})
        assert {row(db, one)["failure_count"] for one in made} == {0}
        assert worker.get_status()["gate"]["stopped"] is True
        assert worker.metric("xnovu_gate_open") == 0
        assert worker.stop() == 0


def test_groups_share_a_workflow_from_end_to_end(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """And /status says how it goes."""
    workflow = a_workflow(db)
    with db.transaction():
        made = [a_notification(db, workflow=workflow, enterprise=f"e{n % 5}") for n in range(100)]
    with running_worker(tmp_path, **worker_environment, HANDOFF_GROUP_SIZE="50") as worker:
        wait_until(lambda: all(is_sent(db, one) for one in made))
        told = worker.get_status()
        wait_until(lambda: worker.metric("xnovu_notifications_sent_total") == 100)
        assert worker.stop() == 0
    assert len({row(db, one)["temporal_workflow_id"] for one in made}) == 2
    assert deliveries(db, novu_standin) == [1] * 100
    assert told["status"] == "healthy"
    assert told["deployment"]
    assert told["temporal_status"] == {
        "address": worker_environment["TEMPORAL_ADDRESS"],
        "namespace": "default",
        "task_queue": worker_environment["TEMPORAL_TASK_QUEUE"],
        "search_attributes": True,
    }
    assert set(told["loops"]) == {"new", "scheduled", "failed", "rescue", "cancel"}
    assert set(told["backlog"]) == {"in_flight", "new", "scheduled", "failed"}
    assert {loop["last_error"] for loop in told["loops"].values()} == {None}
    assert told["executors"] == {"wanted": 0, "pids": [], "restarts": 0}
    assert told["gate"]["closed"] is False
    assert told["wakeup"] == {"on": True, "listening": True}
    assert told["enterprises"] == "all"
    assert "key-1" not in json.dumps(told)


def test_a_new_row_does_not_wait_for_the_poll(db: Db, worker_environment: Told, tmp_path: Path) -> None:
    """The wake-up turns the loops, though they would rest for ten minutes."""
    workflow = a_workflow(db)
    rests = {"POLL_INTERVAL_MS": "600000", "SCHEDULED_POLL_INTERVAL_MS": "600000"}
    with running_worker(tmp_path, **{**worker_environment, **rests}) as worker:
        wait_until(lambda: listens(worker))
        new = a_notification(db, workflow=workflow)
        scheduled = a_notification(db, workflow=workflow, scheduled_for="2020-01-01T00:00Z")
        wait_until(lambda: is_sent(db, new) and is_sent(db, scheduled))


def sleeps(worker: WorkerProgram) -> bool:
    """Say whether the alarm knows of a time that has not come."""
    return bool(worker.get_status()["alarm"]["next_due_in_seconds"])


def test_a_set_time_does_not_wait_for_the_poll(db: Db, worker_environment: Told, tmp_path: Path) -> None:
    """Neither one that is written for soon, nor one that is moved there; one that is moved away waits."""
    workflow = a_workflow(db)
    with running_worker(
        tmp_path, **{**worker_environment, "SCHEDULED_POLL_INTERVAL_MS": "3600000"}
    ) as worker:
        wait_until(lambda: listens(worker))
        nearer = a_notification(db, workflow=workflow, scheduled_for=ahead(hours=1))
        away = a_notification(db, workflow=workflow, scheduled_for=ahead(seconds=1.5))
        wait_until(lambda: sleeps(worker))
        written(db, away, scheduled_for=ahead(hours=1))
        soon = a_notification(db, workflow=workflow, scheduled_for=ahead(seconds=1.5))
        written(db, nearer, scheduled_for=ahead(seconds=1.6))

        wait_until(lambda: is_sent(db, soon) and is_sent(db, nearer))

        assert row(db, away)["attempt"] == 0
        assert worker.get_status()["alarm"]["on"] is True
        assert worker.stop() == 0
    for one in (soon, nearer):
        found = row(db, one)
        assert found["processed_at"] >= found["scheduled_for"]


def test_without_wake_ups_the_poll_finds_the_rows_of_the_named_enterprises(
    db: Db, worker_environment: Told, tmp_path: Path
) -> None:
    """The others are left untouched."""
    told = {"POLL_WAKEUP": "off", "WORKER_ENTERPRISE_IDS": "acme,initech"}
    with running_worker(tmp_path, **worker_environment, **told) as worker:
        worker.until_logged("worker started")
        workflow = a_workflow(db)
        theirs = a_notification(db, workflow=workflow, enterprise="globex")
        ours = a_notification(db, workflow=workflow, enterprise="initech", scheduled_for=ahead(seconds=0.5))
        wait_until(lambda: is_sent(db, ours))
        status = worker.get_status()
        assert worker.stop() == 0
    assert (status["wakeup"], status["alarm"]) == ({"on": False, "listening": False}, {"on": False})
    assert status["enterprises"] == ["acme", "initech"]
    assert row(db, theirs)["attempt"] == 0
