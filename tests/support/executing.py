"""An executor on real servers: Temporal, PostgreSQL, and the Novu stand-in."""

import json
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Worker

from tests.support.delivering import ENGLISH, Delivering, delivering
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, row
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.lifecycle import Attempt, Claim
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal.chores.activities import ChoreActivities
from xnovu_poller.temporal.delivery.activities import DeliveryActivities
from xnovu_poller.temporal.delivery.handoff import Handoff
from xnovu_poller.temporal.rules.activities import RuleActivities
from xnovu_poller.temporal.rules.schedules import RuleSchedules
from xnovu_poller.temporal.search import SearchAttributes
from xnovu_poller.temporal.worker import Limits, build_worker

LONG = timedelta(seconds=115)
"""A call that does not fit into a workflow task, so that all tries are regular activities."""

DEPLOYMENT = UUID("12345678-9abc-4def-8123-456789abcdef")
FOREIGN = UUID("fedcba98-7654-4321-8765-4321fedcba98")
"""Another deployment, whose executors share the task queue by mistake."""

LIMITS = Limits(activities=10, workflow_tasks=10, cached_workflows=10, grace=timedelta(seconds=5))
FORGETFUL = replace(LIMITS, cached_workflows=0)
"""Limits without a cache: Temporal waits ten seconds for an executor that left with a workflow in its cache."""

CALL = timedelta(seconds=5)
KEEP = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Executing:
    """A running executor, and the handoff to it."""

    client: Client
    handoff: Handoff
    delivering: Delivering
    engine: Engine

    async def begin(self, *claims: Claim) -> WorkflowHandle[object, None]:
        """Start the run of some claims."""
        await self.handoff.start(claims)
        return self.client.get_workflow_handle(claims[0].run_id)

    async def finish(self, *claims: Claim) -> dict[str, object]:
        """Wait until the run of some claims has ended; return its history."""
        handle = await self.begin(*claims)
        with suppress(WorkflowFailureError):  # the notification is DEAD
            await handle.result()
        return (await handle.fetch_history()).to_json_dict()


def handoff_of(
    client: Client, task_queue: str, *, searchable: bool = True, call: timedelta = CALL, fair: bool = False
) -> Handoff:
    """Return a handoff of the deployment."""
    return Handoff(
        client,
        task_queue=task_queue,
        deployment=DEPLOYMENT,
        call=call,
        search=SearchAttributes(registered=searchable),
        fair=fair,
    )


@asynccontextmanager
async def executing(  # noqa: PLR0913 - the parts of an executor, each named
    client: Client,
    task_queue: str,
    engine: Engine,
    standin: NovuStandIn,
    *,
    call: timedelta = CALL,
    limits: Limits = LIMITS,
    deployment: UUID = DEPLOYMENT,
) -> AsyncIterator[Executing]:
    """Run an executor."""
    async with (
        delivering(engine, standin, call=call) as made,
        worker_of(client, task_queue, engine, made.delivery, limits=limits, deployment=deployment),
    ):
        yield Executing(client, handoff_of(client, task_queue, call=max(call, CALL)), made, engine)


@asynccontextmanager
async def executing_for(
    deployment: UUID, like: Executing, task_queue: str, *, limits: Limits = LIMITS
) -> AsyncIterator[None]:
    """Run an executor of a deployment on another queue, with the servers of a running executor."""
    async with worker_of(
        like.client,
        task_queue,
        like.engine,
        like.delivering.delivery,
        limits=limits,
        deployment=deployment,
    ):
        yield


def worker_of(
    client: Client,
    task_queue: str,
    engine: Engine,
    delivery: Delivery,
    *,
    limits: Limits = LIMITS,
    deployment: UUID = DEPLOYMENT,
) -> Worker:
    """Build an executor."""
    schedules = schedules_of(client, task_queue, deployment)
    return build_worker(
        client,
        task_queue=task_queue,
        deliveries=DeliveryActivities(delivery, str(deployment)),
        rules=RuleActivities(engine, str(deployment)),
        chores=ChoreActivities(engine, schedules, str(deployment), keep=KEEP, language=ENGLISH),
        limits=limits,
    )


def schedules_of(client: Client, task_queue: str, deployment: UUID = DEPLOYMENT) -> RuleSchedules:
    """Return the schedules of a deployment's rules."""
    return RuleSchedules(
        client, deployment=deployment, task_queue=task_queue, search=SearchAttributes(registered=True)
    )


def claims_of(db: Db, attempts: Sequence[Attempt], *, group: str | None = None) -> list[Claim]:
    """Return the claims of claimed rows; those of a group share a run."""
    rows = [row(db, attempt.notification_id) for attempt in attempts]
    return [
        Claim(
            Attempt(found["id"], found["attempt"]),
            found["enterprise_id"],
            "plain",
            group or f"{db.info.dbname}-notification-{found['id']}-{found['attempt']}",
            found["priority"],
        )
        for found in rows
    ]


def readable(history: Any) -> str:  # noqa: ANN401 - JSON
    """Return a history as text, with its base64 parts decoded."""
    text = json.dumps(history)
    encoded = re.findall(r'"(?:data|encoding)": "([A-Za-z0-9+/=]+)"', text)
    return "\n".join([text, *(b64decode(part).decode(errors="replace") for part in encoded)])
