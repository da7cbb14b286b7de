"""The chores in a real Temporal: all are done and recorded, by one replica at a time."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from temporalio.client import Client, ScheduleHandle

from tests.integration.temporal.conftest import Make
from tests.support.executing import Executing, executing
from tests.support.firing import report_of
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_rule
from tests.support.waiting import eventually
from xnovu_poller.store import chores
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.client import Address, connect
from xnovu_poller.temporal.rules.schedules import RuleSchedules


@pytest.fixture
async def another(temporal_address: str) -> Client:
    """A second client: Temporal's SDK allows one worker of a task queue per client."""
    return await connect(Address(target=temporal_address, namespace="default"))


async def test_a_run_does_every_chore_and_records_it(  # noqa: PLR0913, PLR0917 - each a fixture
    running: Executing,
    make: Make,
    handle: ScheduleHandle,
    db: Db,
    workflow: int,
    engine: Engine,
    schedules: RuleSchedules,
) -> None:
    """A requested run lets the schedules follow the rules at once."""
    rule = a_rule(db, workflow=workflow)
    schedule = make()
    await schedule.ensure()
    await schedule.request_run()

    report = await report_of(running.client, handle)

    assert set(report) == {*contract.CHORES, "checks"}
    assert report["rules"]["created"] == 1
    assert await schedules.describe(rule) is not None
    recorded = {chore.name: chore for chore in await chores.read_all(engine)}
    assert {name: chore.report for name, chore in recorded.items()} == report
    assert all(chore.error is None for chore in recorded.values())
    state = await schedule.read_state()
    assert state.last_at is not None
    assert state.next_at is not None
    assert (state.paused, state.next_at > datetime.now(UTC)) == (False, True)


async def test_a_chore_that_fails_stops_no_other(
    running: Executing, make: Make, handle: ScheduleHandle, engine: Engine, db: Db
) -> None:
    """Row and report have the reason, of a bug only its name; the chore is tried twice, as the next run is soon."""
    await chores.record(engine, "rules", timedelta(0), {"created": 7})
    db.execute("ALTER TABLE notify.ent_notification_rule RENAME followed_at TO value_marker")
    repair = "ALTER TABLE notify.ent_notification_rule RENAME value_marker TO followed_at"
    schedule = make()
    await schedule.ensure()
    await schedule.request_run()

    report = await report_of(running.client, handle)
    db.execute(repair)

    assert report["rules"] == {"error": "xnovu_error: a bug: ProgrammingError"}
    assert report["retention"]["deleted"] == 0
    recorded = {chore.name: chore for chore in await chores.read_all(engine)}
    assert {name: chore.error for name, chore in recorded.items()} == {
        "rules": "a bug: ProgrammingError",
        "checks": None,
        "doctor": None,
        "retention": None,
        "statistics": None,
    }
    assert recorded["rules"].report == {"created": 7}


async def test_two_replicas_do_each_chore_once(  # noqa: PLR0913, PLR0917 - each a fixture
    running: Executing,
    novu_standin: NovuStandIn,
    another: Client,
    task_queue: str,
    deployment: UUID,
    make: Make,
    handle: ScheduleHandle,
) -> None:
    """Both ensure the schedule, and each run waits for the run before it. Requests may overlap: see ADR 14."""
    replicas = [make(timedelta(seconds=1)) for _ in range(2)]
    async with executing(another, task_queue, running.engine, novu_standin, deployment=deployment):
        await asyncio.gather(*(replica.ensure() for replica in replicas))

        async def several() -> bool:
            return (await handle.describe()).info.num_actions >= 3

        await eventually(several)
        await handle.delete()
        # Wait while both executors run: a run whose executor has gone waits long for another.
        ended = f"WorkflowId STARTS_WITH '{handle.id}' AND ExecutionStatus = 'Completed'"
        await eventually(lambda: _count(another, ended, 3))
    runs = sorted([(run.start_time, run.close_time) async for run in another.list_workflows(ended)])
    assert all(closed is not None and closed <= begun for (_, closed), (begun, _) in pairwise(runs))


async def _count(client: Client, query: str, least: int) -> bool:
    return (await client.count_workflows(query)).count >= least
