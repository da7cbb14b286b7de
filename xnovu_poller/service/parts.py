"""The parts of an executor process, built from the settings."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from xnovu_poller import log
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.errors import HandoffError, StoreUnavailable
from xnovu_poller.gate import Gate
from xnovu_poller.lifecycle import seconds
from xnovu_poller.novu import Novu
from xnovu_poller.settings import Settings
from xnovu_poller.store import schema
from xnovu_poller.store.engine import Engine, connect
from xnovu_poller.temporal import worker
from xnovu_poller.temporal.activities import Executor

_log = log.get(__name__)

GRACE_MARGIN = timedelta(seconds=10)
"""Work under way at a stop may last one call to Novu and this much more."""

_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=30)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running process consists of."""

    engine: Engine
    client: worker.Connection
    gate: Gate
    deployment: UUID
    searchable: bool
    executor: worker.Executing


class Waiting:
    """Says for what the start waits, so that /health can tell."""

    def __init__(self) -> None:
        self.reason: str | None = "starting"

    async def until(self, ask: Callable[[], Awaitable[Found]], stop: asyncio.Event) -> Found | None:
        """Ask until there is an answer; the rests grow.

        Returns:
            The answer, or None when the worker was asked to stop first.

        Raises:
            SchemaBehind: no waiting helps.
        """
        rest = _FIRST_WAIT
        while not stop.is_set():
            try:
                return await ask()
            except (StoreUnavailable, HandoffError) as error:
                self.reason = str(error)
                _log.warning("start waits", reason=str(error), again_in_seconds=seconds(rest))
            try:
                async with asyncio.timeout(seconds(rest)):
                    await stop.wait()
            except TimeoutError:
                rest = min(rest * 2, _LONGEST_WAIT)
        return None


async def assemble(
    settings: Settings, stack: AsyncExitStack, waiting: Waiting, stop: asyncio.Event
) -> Parts | None:
    """Connect to everything and build the executor; what was opened is closed with the stack.

    Returns:
        The parts, or None when the worker was asked to stop first.

    Raises:
        SchemaBehind: the database is not at our migration.
    """
    engine = connect(settings.sqlalchemy_url, part="worker")
    stack.push_async_callback(engine.dispose)

    async def ask_database() -> UUID:
        await schema.check(engine)
        return await schema.deployment(engine)

    deployment = await waiting.until(ask_database, stop)
    client = await waiting.until(lambda: worker.connect(_address(settings)), stop)
    if deployment is None or client is None:
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
    return Parts(
        engine=engine,
        client=client,
        gate=gate,
        deployment=deployment,
        searchable=await worker.register_search_attributes(client),
        executor=worker.executor(
            client,
            task_queue=settings.temporal_task_queue,
            activities=Executor(delivery, str(deployment)),
            limits=worker.Limits(
                activities=settings.temporal_max_concurrent_activities,
                workflow_tasks=settings.temporal_max_concurrent_workflows,
                cached_workflows=settings.temporal_max_cached_workflows,
                grace=settings.novu_timeout + GRACE_MARGIN,
            ),
        ),
    )


def _address(settings: Settings) -> worker.Address:
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
