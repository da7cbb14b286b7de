"""The life of `xnovu worker start`: start, work until asked to stop, stop in order."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from xnovu_poller import log
from xnovu_poller.service.children import ChildProcesses
from xnovu_poller.service.health import WorkerHealth
from xnovu_poller.service.parts import Parts, assemble, grace
from xnovu_poller.service.running import Running
from xnovu_poller.service.waiting import StartWait
from xnovu_poller.settings import Settings
from xnovu_poller.temporal import contract
from xnovu_poller.web.server import HealthServer

_log = log.get(__name__)

_KILL_MARGIN = timedelta(seconds=10)
"""A child that has not ended this long after its own grace is killed."""


class Worker:
    """One replica: the polling loops, the rescuer, the canceller, and the processes that deliver.

    The chores of the deployment are done once, however many replicas run; each replica checks that they are scheduled.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._wait = StartWait()
        self._children = ChildProcesses(
            settings.worker_processes - 1, patience=grace(settings) + _KILL_MARGIN
        )
        self._health = WorkerHealth(settings, self._wait, self._children)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until asked to stop; then claim no more, finish the running work, and close everything.

        Raises:
            ConfigError: the health port is not available.
            DeploymentDisputed: the database is a copy.
            SchemaBehind: the database is not at our migration.
        """
        async with AsyncExitStack() as stack:
            await self._serve_health(stack)
            parts = await assemble(self._settings, stack, self._wait, stop)
            if parts is None:
                return
            await self._work(parts, stop)
        _log.info("worker stopped")

    async def _serve_health(self, stack: AsyncExitStack) -> None:
        server = HealthServer(
            self._settings.worker_health_host,
            self._settings.worker_health_port,
            self._health.probes,
            self._health.status,
            stack.enter_context(self._children.combined_metrics()),
        )
        await server.start()
        stack.push_async_callback(server.stop)
        _log.info("health served", port=server.port)

    async def _work(self, parts: Parts, stop: asyncio.Event) -> None:
        running = self._health.running = Running(self._settings, parts)
        self._wait.reason = None
        _log.info("worker started", deployment=contract.prefix(parts.deployment))
        executing = [
            asyncio.create_task(parts.temporal_worker.run(), name="temporal worker"),
            asyncio.create_task(self._children.run(), name="children"),
        ]
        for task in executing:
            # If either ends by itself, stop everything in order.
            task.add_done_callback(lambda _: stop.set())
        running.start()
        await stop.wait()
        _log.info("worker stopping")
        self._wait.reason = "stopping"
        self._children.stop()
        await running.stop()
        await parts.temporal_worker.shutdown()
        await asyncio.wait(executing)
        await asyncio.gather(*executing)
