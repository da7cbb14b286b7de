"""The deployment's chores: done once however many replicas run, shown in /status, and paused by people."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecution

from tests.support.rows import Db, a_notification, a_rule, a_workflow, row
from tests.support.scheduling import Scheduling, deployment_of, rule_row
from tests.support.waiting import eventually, wait_until
from tests.support.worker import WorkerProgram, running_worker
from xnovu_poller.errors import ScheduleMissing
from xnovu_poller.service import chore_health
from xnovu_poller.service.chore_health import ChoreHealth
from xnovu_poller.store import chores
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.chores.keeper import ChoreKeeper
from xnovu_poller.temporal.chores.schedule import ChoreSchedule
from xnovu_poller.web.health import ProbeAnswer

Told = Mapping[str, str]

OFTEN: Told = {"RULE_POLL_INTERVAL_MS": "1000"}
RARELY: Told = {"RULE_POLL_INTERVAL_MS": "3600000"}

UNSEEN = "SELECT FROM notify.ent_notification_rule WHERE rule_status IS DISTINCT FROM 'SCHEDULED'"
FINISHED = "SELECT FROM notify.chore"


def told(worker: WorkerProgram) -> dict[str, Any]:
    """Give what /status says of the orchestration."""
    found: dict[str, Any] = worker.get_status()["orchestration"]
    return found


def all_done(db: Db) -> bool:
    """Say whether each chore has been done."""
    return db.execute(FINISHED).rowcount == len(contract.CHORES)


def counted(workers: list[WorkerProgram], series: str) -> float:
    """Sum a series over replicas."""
    pages = [worker.get("metrics").text for worker in workers]
    return sum(float(page.partition(f"{series} ")[2].split()[0]) for page in pages)


async def runs(scheduling: Scheduling) -> list[WorkflowExecution]:
    """Give the runs of the chore_health, by their start."""
    query = f"WorkflowType = '{contract.CHORES_WORKFLOW}' AND TemporalScheduledById = '{scheduling.orchestration.id}'"
    found = [one async for one in scheduling.client.list_workflows(query)]
    return sorted(found, key=lambda one: one.start_time)


async def several(scheduling: Scheduling) -> bool:
    """Say whether there were runs enough to tell."""
    return len(await runs(scheduling)) >= 4


async def test_two_replicas_do_each_chore_once(db: Db, worker_environment: Told, tmp_path: Path) -> None:
    """No two runs at once, each by one of the two, and so each schedule is made once."""
    scheduling = await Scheduling.of(db, worker_environment["TEMPORAL_ADDRESS"])
    workflow = a_workflow(db)
    with ExitStack() as stack:
        replicas = [
            stack.enter_context(running_worker(tmp_path, f"replica-{n}", **worker_environment, **OFTEN))
            for n in range(2)
        ]
        for replica in replicas:
            replica.until_logged("worker started")
        for n in range(20):
            a_rule(db, workflow=workflow, name=str(n))
        wait_until(lambda: db.execute(UNSEEN).rowcount == 0)

        assert counted(replicas, 'xnovu_rules_reconciled_total{kind="created"}') == 20

        await eventually(lambda: several(scheduling))
        await scheduling.orchestration.pause()

        async def once_each_run() -> bool:
            done = counted(replicas, 'xnovu_chores_total{end="done",name="rules"}')
            return done == len(await runs(scheduling))

        await eventually(once_each_run)
        assert [replica.stop() for replica in replicas] == [0, 0]
    ran = await runs(scheduling)
    assert all(
        one.close_time is not None and one.close_time <= after.start_time for one, after in pairwise(ran)
    )


async def test_the_pause_of_a_person_outlives_the_worker(
    db: Db, worker_environment: Told, tmp_path: Path
) -> None:
    """The chores stand still and /health says so; what is due is delivered all the same, and nobody is taken out of service."""
    scheduling = await Scheduling.of(db, worker_environment["TEMPORAL_ADDRESS"])
    workflow = a_workflow(db)
    with running_worker(tmp_path, "before", **worker_environment, **OFTEN) as worker:
        wait_until(lambda: all_done(db))
        wait_until(lambda: worker.component("orchestration")["status"] == "healthy")
        await scheduling.orchestration.pause(note="the auditors are here")
        assert worker.stop() == 0

    with running_worker(tmp_path, "after", **worker_environment, **OFTEN) as worker:
        wait_until(lambda: worker.component("orchestration")["status"] == "degraded")
        answer = worker.get("health")
        status = told(worker)
        before = len(await runs(scheduling))
        rule = a_rule(db, workflow=workflow)
        made = a_notification(db, workflow=workflow)
        wait_until(lambda: row(db, made)["notification_status"] == "SENT")
        assert (rule_row(db, rule)["rule_status"], len(await runs(scheduling))) == (None, before)

        await scheduling.orchestration.unpause()
        wait_until(lambda: rule_row(db, rule)["rule_status"] == "SCHEDULED")
        wait_until(lambda: worker.component("orchestration")["status"] == "healthy")
        assert worker.stop() == 0

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["components"]["orchestration"]["detail"].startswith(
        "orchestration: paused by a person"
    )
    assert (status["paused"], status["note"], status["next_at"]) == (True, "the auditors are here", None)


async def test_rules_are_followed_at_once_and_the_chores_are_shown(
    db: Db, worker_environment: Told, tmp_path: Path
) -> None:
    """Though the interval is an hour."""
    scheduling = await Scheduling.of(db, worker_environment["TEMPORAL_ADDRESS"])
    with running_worker(tmp_path, **worker_environment, **RARELY) as worker:
        wait_until(lambda: all_done(db))
        rule = a_rule(db, workflow=a_workflow(db))
        wait_until(lambda: rule_row(db, rule)["rule_status"] == "SCHEDULED")
        wait_until(lambda: worker.component("orchestration")["status"] == "healthy")
        wait_until(lambda: told(worker)["chores"]["rules"]["report"]["created"] == 0)
        status = told(worker)
        assert worker.stop() == 0

    assert status["schedule"] == scheduling.orchestration.id
    assert (status["paused"], bool(status["note"])) == (False, True)
    assert status["next_at"] > status["last_at"]
    assert set(status["chores"]) == set(contract.CHORES)
    for chore in status["chores"].values():
        assert set(chore) == {"finished_at", "took_ms", "report", "error"}
        assert chore["error"] is None


async def test_what_is_wrong_with_the_chores_is_told(
    db: Db, engine: Engine, temporal_address: str, task_queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That nobody does them, or that they fail; nothing of it before there was time for the first ones."""
    monkeypatch.setattr(chore_health, "LATE_AT_LEAST", timedelta(milliseconds=200))
    client = await Client.connect(temporal_address)
    every, hour = timedelta(0), timedelta(hours=1)
    orchestra = ChoreSchedule(client, deployment=deployment_of(db), task_queue=task_queue, every=hour)
    conductor = ChoreKeeper(orchestra)
    made = ChoreHealth(engine, orchestra, conductor, every=every)
    assert await made.probe() == ProbeAnswer("healthy", "not made yet")
    conducting = asyncio.create_task(conductor.run())
    await eventually(lambda: conductor.is_ensured)

    async def degraded() -> str | None:
        answer = await made.probe()
        return answer.detail if answer.status == "degraded" else None

    assert "no word of rules" in (await eventually(degraded) or "")
    await chores.record(engine, "rules", every, {})
    assert await made.probe() == ProbeAnswer("healthy")
    await chores.record(engine, "rules", every, None, "Temporal: does not answer (UNAVAILABLE)")
    assert await degraded() == "rules: Temporal: does not answer (UNAVAILABLE)"
    conducting.cancel()


async def test_a_deleted_orchestration_is_made_again(
    db: Db, engine: Engine, temporal_address: str, task_queue: str
) -> None:
    """As soon as somebody asks how it goes; what the chores did is told meanwhile."""
    client = await Client.connect(temporal_address)
    every = timedelta(hours=1)
    orchestra = ChoreSchedule(client, deployment=deployment_of(db), task_queue=task_queue, every=every)
    conductor = ChoreKeeper(orchestra)
    made = ChoreHealth(engine, orchestra, conductor, every=every)
    conducting = asyncio.create_task(conductor.run())
    handle = client.get_schedule_handle(orchestra.id)

    async def rung_for() -> bool:
        return conductor.is_ensured and (await handle.describe()).info.num_actions > 0

    # Its first ring is through: it finds out nothing more by itself.
    await eventually(rung_for)
    await chores.record(engine, "rules", every, {})

    await handle.delete()
    with pytest.raises(ScheduleMissing):
        await made.probe()
    assert set(made.status()["chores"]) == {"rules"}

    async def there() -> bool:
        try:
            return not (await orchestra.read_state()).paused
        except ScheduleMissing:
            return False

    await eventually(there)
    conducting.cancel()
