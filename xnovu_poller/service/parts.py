"""The parts of a process, built from the settings: connections, the gate, the Novu client, the Temporal worker."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.novu import Novu
from xnovu_poller.service.waiting import StartWait
from xnovu_poller.settings import Settings
from xnovu_poller.store import identity, schema
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.identity import Deployment
from xnovu_poller.temporal import client as temporal
from xnovu_poller.temporal import search
from xnovu_poller.temporal.chores.activities import ChoreActivities
from xnovu_poller.temporal.client import Client
from xnovu_poller.temporal.delivery import traces
from xnovu_poller.temporal.delivery.activities import DeliveryActivities
from xnovu_poller.temporal.rules.activities import RuleActivities
from xnovu_poller.temporal.rules.schedules import RuleSchedules
from xnovu_poller.temporal.search import SearchAttributes
from xnovu_poller.temporal.worker import Limits, Worker, build_worker

_GRACE_MARGIN = timedelta(seconds=10)

ASIDE_CONNECTIONS = 3
"""Connections for rules and chores only: if they wait for a lock, they hold no connection of the deliveries."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running process.

    Attributes:
        engine: the connections of loops and deliveries.
        aside: the connections of rules and chores.
        gate: closed while Novu cannot serve.
        deployment: the owner of the notifications.
        search: the search attributes of all runs that this process starts.
        temporal_worker: runs workflows and activities.
    """

    engine: Engine
    aside: Engine
    client: Client
    gate: Gate
    novu: Novu
    deployment: UUID
    search: SearchAttributes
    temporal_worker: Worker


def grace(settings: Settings) -> timedelta:
    """Return how long running work may take after a stop: a call to Novu, and a margin."""
    return settings.novu_timeout + _GRACE_MARGIN


async def assemble(
    settings: Settings, stack: AsyncExitStack, wait: StartWait, stop: asyncio.Event, *, is_child: bool = False
) -> Parts | None:
    """Connect to everything and build the parts.

    Args:
        stack: closes the connections.
        wait: keeps the reason for /health while a server does not answer.
        stop: ends the wait.
        is_child: the worker that started this process has already checked that the database is not a copy.

    Returns:
        The parts, or None if `stop` was set first.

    Raises:
        SchemaBehind: the database is not at our migration.
        DeploymentDisputed: the database is a copy.
    """
    engine = connect(settings.sqlalchemy_url, part=identity.WORKER)
    stack.push_async_callback(engine.dispose)
    aside = connect(settings.sqlalchemy_url, part=identity.WORKER, size=ASIDE_CONNECTIONS)
    stack.push_async_callback(aside.dispose)
    deployment = await wait.until_answered(lambda: _reach_database(engine), stop)
    if deployment is None:
        return None
    unproven = None if is_child else deployment
    client = await wait.until_answered(lambda: _reach_temporal(settings, engine, unproven), stop)
    if client is None:
        return None
    gate = Gate()
    novu = Novu(
        settings.novu_api_url, settings.novu_secret_key.get_secret_value(), settings.novu_timeout, gate
    )
    stack.push_async_callback(novu.aclose)
    delivery = Delivery(
        engine,
        novu,
        gate,
        timeout=settings.novu_timeout,
        lease=settings.lease,
        max_failures=settings.max_failures,
    )
    attributes = SearchAttributes(registered=await search.register(client))
    return Parts(
        engine=engine,
        aside=aside,
        client=client,
        gate=gate,
        novu=novu,
        deployment=deployment.id,
        search=attributes,
        temporal_worker=_build(settings, client, delivery, aside, deployment.id, attributes),
    )


def _build(
    settings: Settings,
    client: Client,
    delivery: Delivery,
    aside: Engine,
    deployment: UUID,
    attributes: SearchAttributes,
) -> Worker:
    """Build the Temporal worker, which takes deliveries, rules and chores."""
    owner, queue = str(deployment), settings.temporal_task_queue
    schedules = RuleSchedules(client, deployment=deployment, task_queue=queue, search=attributes)
    days = settings.retention_days
    return build_worker(
        client,
        task_queue=queue,
        deliveries=DeliveryActivities(delivery, owner),
        rules=RuleActivities(aside, owner),
        chores=ChoreActivities(
            aside,
            schedules,
            owner,
            keep=timedelta(days=days) if days else None,
            every=settings.rule_poll_interval,
        ),
        limits=Limits(
            activities=settings.temporal_max_concurrent_activities,
            workflow_tasks=settings.temporal_max_concurrent_workflows,
            cached_workflows=settings.temporal_max_cached_workflows,
            grace=grace(settings),
        ),
    )


async def _reach_database(engine: Engine) -> Deployment:
    await schema.check(engine)
    return await identity.read_deployment(engine)


async def _reach_temporal(settings: Settings, engine: Engine, unproven: Deployment | None) -> Client:
    """Connect to Temporal, and check that no other database has left runs under our deployment's id."""
    client = await temporal.connect(temporal.address_of(settings))
    if unproven is not None:
        # Read our rows after the runs, because every claim, even a replica's, is committed before its run starts.
        attempts = await traces.newest_attempts(client, unproven.id, unproven.known_since)
        await identity.verify_origin(engine, unproven, attempts)
    return client
