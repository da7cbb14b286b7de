"""Executors of another deployment on our task queue, in a real Temporal: they refuse, and we ask again."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import Client, ScheduleHandle, WorkflowHandle

from tests.integration.temporal.conftest import Make
from tests.support.delivering import a_claimed
from tests.support.executing import (
    FOREIGN,
    FORGETFUL,
    Executing,
    claims_of,
    executing,
    executing_for,
    schedules_of,
)
from tests.support.firing import has_refused, made, report_of, tried
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_rule, row
from tests.support.waiting import eventually
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.errors import StoreUnavailable, WorkflowNotFound
from xnovu_poller.lifecycle import Attempt
from xnovu_poller.store import chores
from xnovu_poller.store.engine import Engine

Begin = Callable[[], AbstractAsyncContextManager[Executing]]

MINUTE = timedelta(minutes=1)


@pytest.fixture
def foreign(client: Client, task_queue: str, engine: Engine, novu_standin: NovuStandIn) -> Begin:
    """Start an executor of another deployment with the same servers."""
    return lambda: executing(client, task_queue, engine, novu_standin, limits=FORGETFUL, deployment=FOREIGN)


@pytest.fixture
def ours(client: Client, task_queue: str, engine: Engine, novu_standin: NovuStandIn) -> Begin:
    """Start an executor of our deployment."""
    return lambda: executing(client, task_queue, engine, novu_standin, limits=FORGETFUL)


async def events_of(handle: WorkflowHandle[object, None], kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind so far."""
    history = (await handle.fetch_history()).to_json_dict()
    return [event for event in history["events"] if event["eventType"] == f"EVENT_TYPE_{kind}"]


async def until_refused(handle: WorkflowHandle[object, None], times: int) -> None:
    """Wait until foreign executors have refused a regular activity this many times."""

    async def enough() -> bool:
        failures = [
            event["activityTaskFailedEventAttributes"]
            for event in await events_of(handle, "ACTIVITY_TASK_FAILED")
        ]
        kinds = [failure["failure"]["applicationFailureInfo"]["type"] for failure in failures]
        return kinds.count("foreign_deployment") >= times

    await eventually(enough)


async def scheduled(handle: WorkflowHandle[object, None]) -> list[tuple[str, int]]:
    """Return the regular activities that were scheduled, each with its maximum number of tries."""
    events = [
        event["activityTaskScheduledEventAttributes"]
        for event in await events_of(handle, "ACTIVITY_TASK_SCHEDULED")
    ]
    return [
        (event["activityType"]["name"], event["retryPolicy"].get("maximumAttempts", 0)) for event in events
    ]


def insert_claimed(db: Db, count: int) -> list[Attempt]:
    """Insert claimed notifications."""
    return [a_claimed(db, recipients=[f"s{index}"]) for index in range(count)]


@pytest.mark.parametrize("count", [1, 2], ids=["single", "group"])
async def test_a_foreign_executor_changes_nothing_and_ours_continues(
    db: Db, novu_standin: NovuStandIn, foreign: Begin, ours: Begin, task_queue: str, count: int
) -> None:
    """A refusal does not count as a try, neither of the local activity nor of the regular activity."""
    attempts = insert_claimed(db, count)
    before = [row(db, attempt.notification_id) for attempt in attempts]
    async with foreign() as executor:
        handle = await executor.begin(*claims_of(db, attempts, group=f"{task_queue}-strange"))
        await until_refused(handle, 2)
    assert [row(db, attempt.notification_id) for attempt in attempts] == before
    assert novu_standin.stats()["calls"] == 0

    async with ours():
        await handle.result()

    assert {row(db, attempt.notification_id)["notification_status"] for attempt in attempts} == {"SENT"}
    assert novu_standin.stats()["deliveries"] == count
    activities = await scheduled(handle)
    assert activities == [("deliver", 3)] * len(activities)


async def test_a_foreign_refusal_between_two_tries_does_not_count(  # noqa: PLR0913, PLR0917 - each a fixture
    client: Client,
    engine: Engine,
    db: Db,
    novu_standin: NovuStandIn,
    foreign: Begin,
    ours: Begin,
    task_queue: str,
) -> None:
    """Ours have made the local try and one of two regular tries; the last try records the failure."""

    def end_the_try() -> None:
        novu_standin.clear_faults()
        novu_standin.fault("reset_before_accept", times=None)

    attempts = insert_claimed(db, 2)
    novu_standin.fault("reset_before_accept")
    novu_standin.fault("hang_before_accept", times=None, seconds=MINUTE.total_seconds())
    patient = replace(FORGETFUL, grace=MINUTE)
    async with executing(client, task_queue, engine, novu_standin, call=MINUTE, limits=patient) as executor:
        handle = await executor.begin(*claims_of(db, attempts, group=f"{task_queue}-between"))
        await eventually(lambda: novu_standin.stats()["calls"] > 1)
        # It ends while the executor stops, so the executor does not begin the next.
        asyncio.get_running_loop().call_later(0.1, end_the_try)
    async with foreign():
        await until_refused(handle, 1)
    async with ours():
        await handle.result()

    kept = [row(db, attempt.notification_id) for attempt in attempts]
    assert {
        (found["notification_status"], found["failure_count"], found["unknown_outcomes"]) for found in kept
    } == {("FAILED", 1, 3)}
    assert await scheduled(handle) == [("deliver", 2), ("deliver", 1)]


async def test_a_foreign_executor_does_not_record_our_lost_contact(
    db: Db, foreign: Begin, ours: Begin, task_queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own executor records it."""

    async def fail(*_: object, **__: object) -> None:
        raise WorkflowNotFound("w", "none")

    async def fail_to_record(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    attempts = insert_claimed(db, 2)
    with monkeypatch.context() as patch:
        patch.setattr(Delivery, "_deliver", fail)
        patch.setattr(Delivery, "record_lost_contact", fail_to_record)
        async with ours() as executor:
            handle = await executor.begin(*claims_of(db, attempts, group=f"{task_queue}-lost"))
            await eventually(lambda: tried(handle, 3))
    async with foreign():
        await until_refused(handle, 1)
    assert {row(db, attempt.notification_id)["notification_status"] for attempt in attempts} == {"PROCESSING"}
    async with ours():
        await handle.result()

    assert {row(db, attempt.notification_id)["error_details"]["code"] for attempt in attempts} == {
        "lost_contact"
    }


async def test_a_foreign_executor_fires_no_rule_of_ours(
    running: Executing, db: Db, workflow: int, client: Client, deployment: UUID
) -> None:
    """It refuses, and the run tries again until our executor gets it."""
    rule, queue = a_rule(db, workflow=workflow), f"{deployment}-shared"
    schedules = schedules_of(client, queue, deployment)
    async with executing_for(FOREIGN, running, queue, limits=FORGETFUL):
        handle = client.get_workflow_handle(await schedules.fire(rule))
        await eventually(lambda: has_refused(handle))
    assert made(db, rule) == []
    async with executing_for(deployment, running, queue, limits=FORGETFUL):
        assert await handle.result() == "created"


async def test_a_foreign_executor_does_no_chore_of_ours(
    running: Executing, client: Client, deployment: UUID, engine: Engine, make: Make, handle: ScheduleHandle
) -> None:
    """Its database is another; our executor does the chores once it gets them."""
    queue = f"{deployment}-shared"
    chore_schedule = make(queue=queue)
    async with executing_for(FOREIGN, running, queue, limits=FORGETFUL):
        await chore_schedule.ensure()
        await chore_schedule.request_run()

        async def foreign_refused() -> bool:
            recent = (await handle.describe()).info.recent_actions
            if not recent:
                return False
            run = client.get_workflow_handle(recent[-1].action.workflow_id)  # type: ignore[attr-defined] # the only kind of action
            return await has_refused(run)

        await eventually(foreign_refused)
    assert await chores.read_all(engine) == []
    async with executing_for(deployment, running, queue, limits=FORGETFUL):
        report = await report_of(client, handle)
    assert "error" not in report["rules"]
