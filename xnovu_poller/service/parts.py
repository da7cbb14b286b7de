"""The parts of a process, built from the settings: connections, the gate, the Novu client, the Temporal worker."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from xnovu_poller import log
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.errors import ConfigError
from xnovu_poller.lifecycle import Language
from xnovu_poller.novu import Novu
from xnovu_poller.novu.workflows import NovuWorkflows
from xnovu_poller.service.waiting import StartWait
from xnovu_poller.settings import Settings
from xnovu_poller.store import fitness, identity, schema
from xnovu_poller.store.engine import ASIDE_CONNECTIONS, Engine, connect
from xnovu_poller.store.identity import Deployment
from xnovu_poller.store.session import ROLE
from xnovu_poller.temporal import client as temporal
from xnovu_poller.temporal import search
from xnovu_poller.temporal.chores.activities import ChoreActivities
from xnovu_poller.temporal.client import Client, Exposed
from xnovu_poller.temporal.delivery import traces
from xnovu_poller.temporal.delivery.activities import DeliveryActivities
from xnovu_poller.temporal.renewal import Renewal
from xnovu_poller.temporal.rules.activities import RuleActivities
from xnovu_poller.temporal.rules.schedules import RuleSchedules
from xnovu_poller.temporal.search import SearchAttributes
from xnovu_poller.temporal.worker import Limits, Worker, build_worker
from xnovu_poller.tracing import TRACING

_log = log.get(__name__)

_GRACE_MARGIN = timedelta(seconds=10)


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
    settings: Settings,
    stack: AsyncExitStack,
    wait: StartWait,
    stop: asyncio.Event,
    *,
    is_child: bool = False,
    allow_superuser: bool = False,
) -> Parts | None:
    """Connect to everything and build the parts.

    Args:
        stack: closes the connections.
        wait: keeps the reason for /health while a server does not answer.
        stop: ends the wait.
        is_child: the worker that started this process has already checked that the database is not a copy.
        allow_superuser: the login may be a superuser; the worker of a child has checked that too.

    Returns:
        The parts, or None if `stop` was set first.

    Raises:
        ConfigError: the login is a superuser, or the certificates of the environment cannot be used.
        SchemaUnfit: the database is not at our migration, or damaged.
        DeploymentDisputed: the database is a copy.
    """
    if settings.otel_exporter_otlp_endpoint is not None and (stop_traces := TRACING.start()):
        stack.push_async_callback(stop_traces)
    gate = Gate()
    novu = Novu(
        settings.novu_api_url,
        settings.novu_secret_key.get_secret_value(),
        settings.novu_timeout,
        gate,
        max_body_bytes=settings.novu_max_body_bytes,
    )
    stack.push_async_callback(novu.aclose)
    engine = connect(settings.sqlalchemy_url, part=identity.WORKER)
    stack.push_async_callback(engine.dispose)
    aside = connect(settings.sqlalchemy_url, part=identity.WORKER, size=ASIDE_CONNECTIONS)
    stack.push_async_callback(aside.dispose)
    deployment = await wait.until_answered(
        lambda: _reach_database(engine, allow_superuser=allow_superuser or is_child), stop
    )
    if deployment is None:
        return None
    unproven = None if is_child else deployment
    renewal = _renewal(settings)
    client = await wait.until_answered(lambda: _reach_temporal(renewal, engine, unproven), stop)
    if client is None:
        return None
    delivery = Delivery(
        engine,
        novu,
        gate,
        timeout=settings.novu_timeout,
        max_failures=settings.max_failures,
        language=_language(settings),
    )
    stack.push_async_callback(delivery.aclose)
    attributes = SearchAttributes(registered=await search.register(client))
    owner, queue = str(deployment.id), settings.temporal_task_queue
    schedules = RuleSchedules(client, deployment=deployment.id, task_queue=queue, search=attributes)
    chores = _build_chores(settings, aside, schedules, owner, _open_workflows(settings, stack))
    worker = _build(
        settings, client, DeliveryActivities(delivery, owner), RuleActivities(aside, owner), chores
    )
    renewing = asyncio.create_task(renewal.run(client, worker), name="certificates")
    stack.callback(renewing.cancel)
    return Parts(
        engine=engine,
        aside=aside,
        client=client,
        gate=gate,
        novu=novu,
        deployment=deployment.id,
        search=attributes,
        temporal_worker=worker,
    )


def _language(settings: Settings) -> Language:
    return Language(settings.default_locale, settings.default_time_zone)


def _open_workflows(settings: Settings, stack: AsyncExitStack) -> NovuWorkflows | None:
    """Return the client of Novu's workflows if they follow the rows."""
    if not settings.workflow_sync:
        return None
    key = settings.novu_secret_key.get_secret_value()
    novu = NovuWorkflows(settings.novu_api_url, key, settings.novu_timeout)
    stack.push_async_callback(novu.aclose)
    return novu


def _build_chores(
    settings: Settings, aside: Engine, schedules: RuleSchedules, owner: str, novu: NovuWorkflows | None
) -> ChoreActivities:
    days = settings.retention_days
    return ChoreActivities(
        aside,
        schedules,
        owner,
        keep=timedelta(days=days) if days else None,
        language=_language(settings),
        novu=novu,
        every=settings.rule_poll_interval,
    )


def _build(
    settings: Settings,
    client: Client,
    deliveries: DeliveryActivities,
    rules: RuleActivities,
    chores: ChoreActivities,
) -> Worker:
    """Build the Temporal worker, which takes deliveries, rules and chores."""
    return build_worker(
        client,
        task_queue=settings.temporal_task_queue,
        deliveries=deliveries,
        rules=rules,
        chores=chores,
        limits=Limits(
            activities=settings.temporal_max_concurrent_activities,
            workflow_tasks=settings.temporal_max_concurrent_workflows,
            cached_workflows=settings.temporal_max_cached_workflows,
            grace=grace(settings),
        ),
    )


async def _reach_database(engine: Engine, *, allow_superuser: bool) -> Deployment:
    if (ahead := await schema.check(engine)) is not None:
        _log.info("schema is ahead", revision=ahead)
    if not allow_superuser and (login := await fitness.superuser(engine)):
        raise ConfigError([_SUPERUSER.format(login)])
    return await identity.read_deployment(engine)


_SUPERUSER = (
    "DATABASE_URL: its login {} is a superuser, to whom no right and no policy applies; run"
    f" `CREATE ROLE xnovu LOGIN PASSWORD '…' IN ROLE {ROLE}` and use that login, or start with --allow-superuser"
)


def _renewal(settings: Settings) -> Renewal:
    port = settings.temporal_metrics_port
    exposed = None if port is None else Exposed(settings.worker_health_host, port)
    return Renewal(temporal.address_of(settings), exposed)


async def _reach_temporal(renewal: Renewal, engine: Engine, unproven: Deployment | None) -> Client:
    """Connect to Temporal, and check that no other database has left runs under our deployment's id.

    Args:
        unproven: the deployment to check; None in a child.
    """
    client = await renewal.connect()
    if unproven is not None:
        # Read our rows after the runs, because every claim, even a replica's, is committed before its run starts.
        attempts = await traces.newest_attempts(client, unproven.id, unproven.known_since)
        await identity.verify_origin(engine, unproven, attempts)
    return client
