"""The deployment's chores: replicas share them, /status shows them, and people pause them."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
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

Environment = Mapping[str, str]

OFTEN: Environment = {"RULE_POLL_INTERVAL_MS": "1000"}
RARELY: Environment = {"RULE_POLL_INTERVAL_MS": "3600000"}

UNSEEN = "SELECT FROM notify.ent_notification_rule WHERE rule_status IS DISTINCT FROM 'SCHEDULED'"
FINISHED = "SELECT FROM notify.chore"


def read_status(worker: WorkerProgram) -> dict[str, Any]:
    """Return what /status shows of the chores."""
    found: dict[str, Any] = worker.get_status()["chores"]
    return found


def all_done(db: Db) -> bool:
    """Return whether each chore has been done."""
    return db.execute(FINISHED).rowcount == len(contract.CHORES) + 1  # and the checks


def counted(workers: list[WorkerProgram], series: str) -> float:
    """Sum a series over replicas."""
    pages = [worker.get("metrics").text for worker in workers]
    return sum(float(page.partition(f"{series} ")[2].split()[0]) for page in pages)


async def runs(scheduling: Scheduling) -> list[WorkflowExecution]:
    """Return the runs of the chores by their start."""
    query = (
        f"WorkflowType = '{contract.CHORES_WORKFLOW}' AND TemporalScheduledById = '{scheduling.chores.id}'"
    )
    found = [run async for run in scheduling.client.list_workflows(query)]
    return sorted(found, key=lambda run: run.start_time)


async def is_idle(scheduling: Scheduling) -> bool:
    """Return whether no run of the chores is open."""
    return not (await scheduling.chores.describe()).info.running_actions


async def several(scheduling: Scheduling) -> bool:
    """Return whether there were enough runs to compare."""
    return len(await runs(scheduling)) >= 4


async def test_two_replicas_do_each_chore_once(
    db: Db, worker_environment: Environment, tmp_path: Path
) -> None:
    """Each schedule is created once, even if Temporal lets two runs overlap."""
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

        wait_until(lambda: counted(replicas, 'xnovu_rules_reconciled_total{kind="created"}') == 20)

        await eventually(lambda: several(scheduling))
        await scheduling.chores.pause()

        async def once_each_run() -> bool:
            done = counted(replicas, 'xnovu_chores_total{end="done",name="rules"}')
            return done == len(await runs(scheduling))

        await eventually(once_each_run)
        assert counted(replicas, 'xnovu_rules_reconciled_total{kind="created"}') == 20
        assert [replica.stop() for replica in replicas] == [0, 0]


async def test_a_persons_pause_outlives_the_worker(
    db: Db, worker_environment: Environment, tmp_path: Path
) -> None:
    """No chore runs, /health is degraded with the reason, and notifications are still delivered."""
    scheduling = await Scheduling.of(db, worker_environment["TEMPORAL_ADDRESS"])
    workflow = a_workflow(db)
    with running_worker(tmp_path, "before", **worker_environment, **OFTEN) as worker:
        wait_until(lambda: all_done(db))
        wait_until(lambda: worker.component("chores")["status"] == "healthy")
        await scheduling.chores.pause(note="the auditors are here")
        # The next worker would do the rest of an open run.
        await eventually(lambda: is_idle(scheduling))
        assert worker.stop() == 0

    with running_worker(tmp_path, "after", **worker_environment, **OFTEN) as worker:
        wait_until(lambda: "paused by a person" in worker.component("chores")["detail"])
        answer = worker.get("health")
        status = read_status(worker)
        before = len(await runs(scheduling))
        rule = a_rule(db, workflow=workflow)
        made = a_notification(db, workflow=workflow)
        wait_until(lambda: row(db, made)["notification_status"] == "SENT")
        assert (rule_row(db, rule)["rule_status"], len(await runs(scheduling))) == (None, before)

        await scheduling.chores.unpause()
        wait_until(lambda: rule_row(db, rule)["rule_status"] == "SCHEDULED")
        wait_until(lambda: worker.component("chores")["status"] == "healthy")
        assert worker.stop() == 0

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["components"]["chores"]["detail"].startswith("chores: paused by a person")
    assert (status["paused"], status["note"], status["next_at"]) == (True, "the auditors are here", None)


async def test_rules_are_followed_at_once_and_the_chores_are_shown(
    db: Db, worker_environment: Environment, tmp_path: Path
) -> None:
    """The interval is an hour, but a change of a rule requests a run."""
    scheduling = await Scheduling.of(db, worker_environment["TEMPORAL_ADDRESS"])
    with running_worker(tmp_path, **worker_environment, **RARELY) as worker:
        wait_until(lambda: all_done(db))
        rule = a_rule(db, workflow=a_workflow(db))
        wait_until(lambda: rule_row(db, rule)["rule_status"] == "SCHEDULED")
        wait_until(lambda: worker.component("chores")["status"] == "healthy")
        # The first run creates the schedule; the next finds nothing left to create.
        wait_until(lambda: read_status(worker)["last_runs"]["rules"]["report"]["created"] == 0)
        status = read_status(worker)
        assert worker.stop() == 0

    assert status["schedule"] == scheduling.chores.id
    assert (status["paused"], bool(status["note"])) == (False, True)
    assert status["next_at"] > status["last_at"]
    assert set(status["last_runs"]) == {*contract.CHORES, "checks"}
    for chore in status["last_runs"].values():
        assert set(chore) == {"finished_at", "took_ms", "report", "error"}
        assert chore["error"] is None


async def test_a_fault_of_the_chores_degrades_the_health(
    db: Db, engine: Engine, temporal_address: str, task_queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may not run, or fail; before the first run was due, the health is not degraded."""
    monkeypatch.setattr(chore_health, "LATE_AT_LEAST", timedelta(milliseconds=200))
    client = await Client.connect(temporal_address)
    every, hour = timedelta(0), timedelta(hours=1)
    schedule = ChoreSchedule(client, deployment=deployment_of(db), task_queue=task_queue, every=hour)
    keeper = ChoreKeeper(schedule)
    made = ChoreHealth(engine, schedule, keeper, every=every)
    assert await made.probe() == ProbeAnswer("healthy", "not scheduled yet")
    keeping = asyncio.create_task(keeper.run())
    await eventually(lambda: keeper.is_ensured)

    async def degraded() -> str | None:
        answer = await made.probe()
        return answer.detail if answer.status == "degraded" else None

    assert "rules were not reconciled" in (await eventually(degraded) or "")
    await chores.record(engine, "rules", timedelta(0), {})
    assert await made.probe() == ProbeAnswer("healthy")
    await chores.record(engine, "rules", timedelta(0), None, "Temporal: does not answer (UNAVAILABLE)")
    assert await degraded() == "chores: rules: Temporal: does not answer (UNAVAILABLE)"
    keeping.cancel()


async def test_a_deleted_schedule_is_created_again(
    db: Db, engine: Engine, temporal_address: str, task_queue: str
) -> None:
    """The probe that misses it requests a run, and the keeper then creates it; meanwhile /status still shows the last runs."""
    client = await Client.connect(temporal_address)
    every = timedelta(hours=1)
    schedule = ChoreSchedule(client, deployment=deployment_of(db), task_queue=task_queue, every=every)
    keeper = ChoreKeeper(schedule)
    made = ChoreHealth(engine, schedule, keeper, every=every)
    keeping = asyncio.create_task(keeper.run())
    handle = client.get_schedule_handle(schedule.id)

    async def has_run() -> bool:
        return keeper.is_ensured and (await handle.describe()).info.num_actions > 0

    # A first request that is still due would create it again without the probe.
    await eventually(has_run)
    await chores.record(engine, "rules", timedelta(0), {})

    await handle.delete()
    with pytest.raises(ScheduleMissing):
        await made.probe()
    assert set(made.status()["last_runs"]) == {"rules"}

    async def exists() -> bool:
        try:
            return not (await schedule.read_state()).paused
        except ScheduleMissing:
            return False

    await eventually(exists)
    keeping.cancel()
