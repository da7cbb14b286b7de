"""The life of an executor process: it runs workflows and activities, and claims nothing."""

import asyncio
from contextlib import AsyncExitStack

from xnovu_poller import log
from xnovu_poller.service.event_loop import observe_lag
from xnovu_poller.service.parts import assemble
from xnovu_poller.service.waiting import StartWait
from xnovu_poller.settings import Settings

_log = log.get(__name__)


async def execute(settings: Settings, stop: asyncio.Event) -> None:
    """Run workflows and activities until asked to stop; then finish the running work.

    This process has its own gate: if it closes, the other processes go on until they notice the fault themselves.

    Raises:
        SchemaBehind: the database is not at our migration.
        DeploymentDisputed: the database is a copy.
    """
    async with AsyncExitStack() as stack:
        parts = await assemble(settings, stack, StartWait(), stop, is_child=True)
        if parts is None:
            return
        _log.info("executor started")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(parts.temporal_worker.run(), name="temporal worker")
            lag = tasks.create_task(observe_lag(), name="event loop lag")
            await stop.wait()
            lag.cancel()
            await parts.temporal_worker.shutdown()
    _log.info("executor stopped")
