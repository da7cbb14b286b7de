"""The life of `xnovu worker start`: start, work until asked to stop, stop in order."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

from xnovu_poller import log, metrics
from xnovu_poller.service.children import ChildProcesses
from xnovu_poller.service.deaths import DeathWatcher
from xnovu_poller.service.gauges import Gauges
from xnovu_poller.service.health import WorkerHealth
from xnovu_poller.service.parts import Parts, assemble, grace
from xnovu_poller.service.reporter import Reporter
from xnovu_poller.service.running import Running
from xnovu_poller.service.waiting import StartWait
from xnovu_poller.settings import Settings
from xnovu_poller.temporal import contract
from xnovu_poller.web.health import HealthReport
from xnovu_poller.web.server import Exposition, HealthServer

_log = log.get(__name__)

_KILL_MARGIN = timedelta(seconds=10)
"""A child that has not ended this long after its own grace is killed."""

_TURN_SECONDS = 5.0
"""Wait this long for turns before running work is asked to end.

A stop promises to take at most `NOVU_TIMEOUT_MS` + 30 s, also while PostgreSQL is silent: 5 s for turns, `grace` (10 s more
than a call to Novu) for running work, 10 s until a cancelled statement is given up (psycopg), and 5 s to close.
"""

_LAST_REPORT_SECONDS = 2.0
"""Of the 5 s to close: a silent PostgreSQL has recorded nothing that could be reported."""


class Worker:
    """One replica: the polling loops, the rescuer, the canceller, and the processes that deliver.

    The chores of the deployment are done once, however many replicas run; each replica checks that they are scheduled.

    Args:
        allow_superuser: start although the login is a superuser.
        listening: called when the health port is open.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        allow_superuser: bool = False,
        listening: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._allow_superuser = allow_superuser
        self._listening = listening
        self._wait = StartWait()
        self._children = ChildProcesses(
            settings.worker_processes - 1,
            patience=grace(settings) + _KILL_MARGIN,
            temporal_port=settings.temporal_metrics_port,
        )
        self._health = WorkerHealth(settings, self._wait, self._children)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until asked to stop; then claim no more, finish the running work, and close everything.

        Raises:
            ConfigError: the health port is not available, or the login is a superuser.
            DeploymentDisputed: the database is a copy.
            SchemaUnfit: the database is not at our migration, or damaged.
        """
        async with AsyncExitStack() as stack:
            counted = stack.enter_context(self._children.combined_metrics())
            server = await self._serve_health(stack, counted)
            parts = await assemble(
                self._settings, stack, self._wait, stop, allow_superuser=self._allow_superuser
            )
            if parts is not None:
                recalled = HealthReport([probe for probe in self._health.probes if probe.name != "novu"])
                reporter = Reporter(parts.aside, server.report.read, recalled.read, parts.gate, counted)
                await self._work(parts, reporter, stop)
        _log.info("worker stopped")

    async def _serve_health(self, stack: AsyncExitStack, counted: metrics.Source) -> HealthServer:
        self._health.deaths = DeathWatcher(counted)
        gauges = Gauges(self._health, enterprises=self._settings.metrics_enterprises)
        token = self._settings.worker_http_token
        server = HealthServer(
            self._settings.worker_health_host,
            self._settings.worker_health_port,
            self._health.probes,
            self._health.status,
            Exposition(counted, gauges.measure),
            wait_reason=lambda: self._wait.reason,
            token=None if token is None else token.get_secret_value(),
        )
        await server.start()
        stack.push_async_callback(server.stop)
        _log.info("health served", port=server.port)
        self._listening()
        return server

    async def _work(self, parts: Parts, reporter: Reporter, stop: asyncio.Event) -> None:
        running = Running(self._settings, parts)
        self._health.start(running)
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
        reporting = asyncio.create_task(reporter.run(), name="reporter")
        await stop.wait()
        self._wait.reason = "stopping"
        self._children.stop()
        reporting.cancel()
        withdrawing = asyncio.create_task(reporter.withdraw(), name="withdrawal")
        ending = asyncio.create_task(running.stop(grace(self._settings)))
        await asyncio.wait([ending, withdrawing], timeout=_TURN_SECONDS)
        withdrawing.cancel()
        await parts.temporal_worker.shutdown()
        await ending
        await asyncio.wait(executing)
        await asyncio.gather(*executing)
        await asyncio.wait([asyncio.create_task(reporter.withdraw_again())], timeout=_LAST_REPORT_SECONDS)
