"""A client of the session's Temporal, a running executor, and a deployment of each test's own."""

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client, ScheduleHandle
from temporalio.service import RPCError, RPCStatusCode

from tests.support.executing import Executing, executing, schedules_of
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.wires import Wire
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.chores.schedule import ChoreSchedule
from xnovu_poller.temporal.client import Address, connect
from xnovu_poller.temporal.rules.reconcile import Reconciler
from xnovu_poller.temporal.rules.schedules import RuleSchedules

Run = Callable[[], Coroutine[Any, Any, dict[str, int]]]
Make = Callable[..., ChoreSchedule]

HOURLY = timedelta(hours=1)
SELDOM = timedelta(days=10_000)
"""An interval whose next turn, counted from 1970 on, is in 2052."""


@pytest.fixture
def wire() -> Wire:
    """The interceptor of the client's calls."""
    return Wire()


@pytest.fixture
async def client(temporal_address: str, wire: Wire) -> Client:
    """A client of the default namespace."""
    return wire.joined(await connect(Address(target=temporal_address, namespace="default")))


@pytest.fixture
async def executor(
    client: Client, task_queue: str, engine: Engine, novu_standin: NovuStandIn
) -> AsyncIterator[Executing]:
    """A running executor."""
    async with executing(client, task_queue, engine, novu_standin) as made:
        yield made


@pytest.fixture
async def deployment(client: Client) -> AsyncIterator[UUID]:
    """A deployment whose schedules are deleted after the test."""
    made = uuid4()
    yield made
    async for listed in await client.list_schedules(f"ScheduleId STARTS_WITH '{contract.prefix(made)}'"):
        try:
            await client.get_schedule_handle(listed.id).delete()
        except RPCError as error:
            # The test has deleted it already, and the list lags behind.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


@pytest.fixture
def schedules(client: Client, task_queue: str, deployment: UUID) -> RuleSchedules:
    """The schedules of the deployment's rules."""
    return schedules_of(client, task_queue, deployment)


@pytest.fixture
async def running(
    client: Client, task_queue: str, deployment: UUID, engine: Engine, novu_standin: NovuStandIn
) -> AsyncIterator[Executing]:
    """A running executor of the deployment."""
    async with executing(client, task_queue, engine, novu_standin, deployment=deployment) as made:
        yield made


@pytest.fixture
def workflow(db: Db) -> int:
    """The workflow of the rules' notifications."""
    return a_workflow(db)


@pytest.fixture
def reconciler(engine: Engine, schedules: RuleSchedules) -> Reconciler:
    """What reconciles the deployment, run after run."""
    return Reconciler(engine, schedules)


@pytest.fixture
def run(reconciler: Reconciler) -> Run:
    """Reconcile, and return the counts that are not 0."""

    async def reconciled() -> dict[str, int]:
        report = await reconciler.run(datetime.now(UTC), budget=HOURLY)
        return {outcome.value: count for outcome, count in report.items() if count}

    return reconciled


@pytest.fixture
def make(client: Client, task_queue: str, deployment: UUID) -> Make:
    """Build the chores' schedule of the deployment; by default only requested runs come."""
    return lambda every=SELDOM, queue=task_queue, **more: ChoreSchedule(
        client, deployment=deployment, task_queue=queue, every=every, **more
    )


@pytest.fixture
def handle(client: Client, deployment: UUID) -> ScheduleHandle:
    """The schedule of the chores."""
    return client.get_schedule_handle(contract.chore_schedule_id(deployment))
