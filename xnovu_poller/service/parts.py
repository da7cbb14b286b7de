"""The parts of an executor process, built from the settings."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from xnovu_poller import log
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.errors import HandoffError, StoreUnavailable
from xnovu_poller.lifecycle import seconds
from xnovu_poller.novu import Novu
from xnovu_poller.settings import Settings, TemporalSettings
from xnovu_poller.store import identity, schema
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.store.identity import Deployment
from xnovu_poller.temporal import worker
from xnovu_poller.temporal.chores.activities import Chores
from xnovu_poller.temporal.delivery import traces
from xnovu_poller.temporal.delivery.activities import Executor
from xnovu_poller.temporal.rules.activities import RuleFiring
from xnovu_poller.temporal.rules.schedules import Schedules

_log = log.get(__name__)

_GRACE_MARGIN = timedelta(seconds=10)

ASIDE_CONNECTIONS = 3
"""For rules and chores: whoever makes them wait keeps no connection from the deliveries."""

_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=30)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running process consists of; `aside` are the connections of rules and chores."""

    engine: Engine
    aside: Engine
    client: worker.Connection
    gate: Gate
    novu: Novu
    deployment: UUID
    searchable: bool
    executor: worker.Executing


def grace(settings: Settings) -> timedelta:
    """Say how long work under way may go on after a stop: one call to Novu, and some more."""
    return settings.novu_timeout + _GRACE_MARGIN


class Waiting:
    """Says for what the start waits, so that /health can tell."""

    def __init__(self) -> None:
        self.reason: str | None = "starting"

    async def until(self, ask: Callable[[], Coroutine[Any, Any, Found]], stop: asyncio.Event) -> Found | None:
        """Ask until there is an answer; the rests grow.

        Returns:
            The answer, or None when the worker was asked to stop first.

        Raises:
            SchemaBehind: no waiting helps.
            DeploymentDisputed: the same.
        """
        rest = _FIRST_WAIT
        while not stop.is_set():
            try:
                return await unless(stop, ask())
            except (StoreUnavailable, HandoffError) as error:
                self.reason = str(error)
                _log.warning("start waits", reason=str(error), again_in_seconds=seconds(rest))
            await unless(stop, asyncio.sleep(seconds(rest)))
            rest = min(rest * 2, _LONGEST_WAIT)
        return None


async def unless(stop: asyncio.Event, asked: Coroutine[Any, Any, Found]) -> Found | None:
    """Wait for an answer, but not beyond a stop: None, and nobody waits for the answer any more."""
    answering, stopping = asyncio.create_task(asked), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([answering, stopping], return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else None
    finally:
        answering.cancel()
        stopping.cancel()


async def execute(settings: Settings, stop: asyncio.Event) -> None:
    """Carry out workflows, and nothing else, until asked to stop; then end what is under way.

    The gate is this process's own: when it closes here, the other processes go on until they learn it
    themselves.

    Raises:
        SchemaBehind: the database is not at our migration.
        DeploymentDisputed: the database is a copy.
    """
    async with AsyncExitStack() as stack:
        parts = await assemble(settings, stack, Waiting(), stop, proven=True)
        if parts is None:
            return
        _log.info("executor started")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(parts.executor.run(), name="executor")
            await stop.wait()
            await parts.executor.shutdown()
    _log.info("executor stopped")


async def assemble(
    settings: Settings, stack: AsyncExitStack, waiting: Waiting, stop: asyncio.Event, *, proven: bool = False
) -> Parts | None:
    """Connect to everything and build the executor; what was opened is closed with the stack.

    Args:
        settings: everything that the environment says.
        stack: closes what was opened.
        waiting: says for what the start waits.
        stop: ends the wait.
        proven: the worker whose child we are has found the database to be no copy.

    Returns:
        The parts, or None when the worker was asked to stop first.

    Raises:
        SchemaBehind: the database is not at our migration.
        DeploymentDisputed: the database is a copy.
    """
    engine = connect(settings.sqlalchemy_url, part=identity.WORKER)
    stack.push_async_callback(engine.dispose)
    aside = connect(settings.sqlalchemy_url, part=identity.WORKER, size=ASIDE_CONNECTIONS)
    stack.push_async_callback(aside.dispose)
    whose = await waiting.until(lambda: _ask_database(engine), stop)
    if whose is None:
        return None
    client = await waiting.until(
        lambda: _ask_temporal(address(settings), engine, None if proven else whose), stop
    )
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
    searchable = await worker.register_search_attributes(client)
    return Parts(
        engine=engine,
        aside=aside,
        client=client,
        gate=gate,
        novu=novu,
        deployment=whose.id,
        searchable=searchable,
        executor=_executor(settings, client, delivery, aside, whose.id, searchable=searchable),
    )


def _executor(
    settings: Settings,
    client: worker.Connection,
    delivery: Delivery,
    aside: Engine,
    deployment: UUID,
    *,
    searchable: bool,
) -> worker.Executing:
    """Build what carries out everything that Temporal may ask of this process: deliveries, rules and chores."""
    whose, queue = str(deployment), settings.temporal_task_queue
    schedules = Schedules(client, deployment=deployment, task_queue=queue, searchable=searchable)
    days = settings.retention_days
    return worker.executor(
        client,
        task_queue=queue,
        activities=Executor(delivery, whose),
        firing=RuleFiring(aside, whose),
        chores=Chores(
            aside,
            schedules,
            whose,
            keep=timedelta(days=days) if days else None,
            every=settings.rule_poll_interval,
        ),
        limits=worker.Limits(
            activities=settings.temporal_max_concurrent_activities,
            workflow_tasks=settings.temporal_max_concurrent_workflows,
            cached_workflows=settings.temporal_max_cached_workflows,
            grace=grace(settings),
        ),
    )


async def _ask_database(engine: Engine) -> Deployment:
    await schema.check(engine)
    return await identity.deployment(engine)


async def _ask_temporal(
    address: worker.Address, engine: Engine, whose: Deployment | None
) -> worker.Connection:
    """Connect; and see that no other database has left traces under our deployment's name."""
    client = await worker.connect(address)
    if whose is not None:
        # Only then our rows: a claim is committed before its workflow is started, also a replica's.
        known = await traces.newest(client, whose.id, whose.known_since)
        await identity.prove(engine, whose, known)
    return client


def address(settings: TemporalSettings) -> worker.Address:
    """Say where Temporal is, and who we are there; for whoever connects."""
    api_key = settings.temporal_api_key
    return worker.Address(
        target=settings.temporal_address,
        namespace=settings.temporal_namespace,
        secure=settings.temporal_secure,
        certificate=settings.temporal_client_cert_path,
        key=settings.temporal_client_key_path,
        authority=settings.temporal_server_ca_path,
        api_key=None if api_key is None else api_key.get_secret_value(),
    )
