"""The life of `xnovu worker start`: start, work until asked to stop, stop in order."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

from xnovu_poller import log
from xnovu_poller.loops.cancel import Cancel
from xnovu_poller.loops.due_timer import Alarm
from xnovu_poller.loops.loop import Drain, Turning
from xnovu_poller.loops.new import new_loop
from xnovu_poller.loops.rescue import Rescue, failed_loop
from xnovu_poller.loops.scheduled import scheduled_loop
from xnovu_poller.loops.timetable import Timetable
from xnovu_poller.loops.wakeup import Wakeup
from xnovu_poller.service.children import Executors
from xnovu_poller.service.chore_health import Orchestration
from xnovu_poller.service.parts import Parts, Waiting, assemble, grace
from xnovu_poller.settings import Settings
from xnovu_poller.store import reads
from xnovu_poller.store.notifications.by_claim import Terms
from xnovu_poller.temporal import contract
from xnovu_poller.temporal import worker as temporal
from xnovu_poller.temporal.chores.keeper import Conductor
from xnovu_poller.temporal.chores.schedule import Orchestra
from xnovu_poller.temporal.delivery.handoff import Fate, Handoff
from xnovu_poller.web.server import HealthServer, Probe, ProbeAnswer

_log = log.get(__name__)

_LAST_PATIENCE = timedelta(seconds=10)


class Worker:
    """One replica: three loops, the rescue, the cancels, and the executors of the workflows.

    The chores of the deployment are done by one orchestration, however many replicas there are; each of them
    sees that it stands.

    Args:
        settings: everything that the environment says.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting = Waiting()
        self._parts: Parts | None = None
        self._backlog: dict[str, int] | None = None
        self._drains: list[Drain] = []
        self._wakeup: Wakeup | None = None
        self._alarm: Alarm | None = None
        self._orchestration: Orchestration | None = None
        self._executors = Executors(settings.worker_processes - 1, patience=grace(settings) + _LAST_PATIENCE)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until asked to stop; then claim no more, end what is under way, and let go.

        Raises:
            ConfigError: the health port cannot be had.
            DeploymentDisputed: the database is a copy.
            SchemaBehind: the database is not at our migration.
        """
        async with AsyncExitStack() as stack:
            await self._open_window(stack)
            parts = await assemble(self._settings, stack, self._waiting, stop)
            if parts is None:
                return
            self._parts, self._waiting.reason = parts, None
            _log.info("worker started", deployment=contract.prefix(parts.deployment))
            await self._work(parts, stop)
        _log.info("worker stopped")

    async def _open_window(self, stack: AsyncExitStack) -> None:
        window = HealthServer(
            self._settings.worker_health_host,
            self._settings.worker_health_port,
            [
                Probe("database", self._probe_database),
                Probe("temporal", self._probe_temporal),
                Probe("novu", self._probe_novu),
                Probe("worker", self._probe_worker),
                Probe("orchestration", self._probe_orchestration, failed="degraded"),
            ],
            self._status,
            stack.enter_context(self._executors.counting()),
        )
        await window.start()
        stack.push_async_callback(window.stop)
        _log.info("health served", port=window.port)

    async def _work(self, parts: Parts, stop: asyncio.Event) -> None:
        loops = self._make_loops(parts)
        self._drains = [Drain(turning) for turning in loops]
        timetable = Timetable()
        for drain, turning in zip(self._drains, loops, strict=True):
            timetable.enter(drain.name, drain.drain, turning.interval)
        working = [
            asyncio.create_task(parts.executor.run(), name="executor"),
            asyncio.create_task(self._executors.run(), name="executors"),
        ]
        calling = self._call(parts)
        for task in working:
            # Whatever ends of itself ends all, in order.
            task.add_done_callback(lambda _: stop.set())
        timetable.start()
        await stop.wait()
        _log.info("worker stopping")
        self._waiting.reason = "stopping"
        self._executors.stop()
        for turning in loops:
            turning.stop()
        # Turns under way run in the timetable and in what calls for them, which therefore end after them.
        await asyncio.gather(*(drain.stop() for drain in self._drains))
        timetable.stop()
        for task in calling:
            task.cancel()
        await parts.executor.shutdown()
        await asyncio.wait(working)
        await asyncio.gather(*working)

    def _make_loops(self, parts: Parts) -> list[Turning]:
        settings = self._settings
        terms = Terms(
            prefix=contract.prefix(parts.deployment),
            batch=settings.claim_size,
            group_size=settings.handoff_group_size,
            max_in_flight=settings.max_in_flight,
            lease=settings.claim_lease,
            enterprises=settings.worker_enterprise_ids,
        )
        handoff = Handoff(
            parts.client,
            task_queue=settings.temporal_task_queue,
            deployment=parts.deployment,
            call=settings.novu_timeout,
            searchable=parts.searchable,
        )
        engine, gate, start = parts.engine, parts.gate, handoff.start

        async def is_open(workflow_id: str) -> bool:
            return await handoff.ask(workflow_id) is Fate.OPEN

        return [
            new_loop(engine, gate, terms=terms, start=start, interval=settings.poll_interval),
            scheduled_loop(engine, gate, terms=terms, start=start, interval=settings.scheduled_poll_interval),
            failed_loop(engine, gate, terms=terms, start=start, interval=settings.failed_poll_interval),
            Rescue(
                engine,
                is_open=is_open,
                start=start,
                terms=terms,
                lease=settings.lease,
                interval=settings.failed_poll_interval,
            ),
            Cancel(engine, gate, parts.novu, interval=settings.poll_interval),
        ]

    def _call(self, parts: Parts) -> list[asyncio.Task[None]]:
        """Begin what calls for turns and for the chores, besides the timetable."""
        settings = self._settings
        every = settings.rule_poll_interval
        orchestra = Orchestra(
            parts.client, deployment=parts.deployment, task_queue=settings.temporal_task_queue, every=every
        )
        conductor = Conductor(orchestra)
        self._orchestration = Orchestration(parts.engine, orchestra, conductor, every=every)
        callers: dict[str, Coroutine[Any, Any, None]] = {"conductor": conductor.run()}
        if settings.poll_wakeup:
            callers |= self._listen(parts, conductor)
        tasks = [asyncio.create_task(caller, name=name) for name, caller in callers.items()]
        for task in tasks:
            task.add_done_callback(_tell_bug)
        return tasks

    def _listen(self, parts: Parts, conductor: Conductor) -> dict[str, Coroutine[Any, Any, None]]:
        """Have the database say what is due; the alarm builds on it, for it has to hear what was set."""
        new, scheduled, *_ = self._drains
        alarm = self._alarm = Alarm(partial(reads.next_due, parts.engine), scheduled.drain)

        async def wake() -> None:
            alarm.look()
            # What is to be said at once goes first, by itself: both together would be slower.
            await new.drain()
            await scheduled.drain()

        url = self._settings.database_url.get_secret_value()
        wakeup = self._wakeup = Wakeup(url, wake, conductor.ring)
        return {"wakeup": wakeup.run(), "alarm": alarm.run()}

    async def _probe_database(self) -> ProbeAnswer:
        if self._parts is None:
            return self._not_yet()
        self._backlog = await reads.backlog(self._parts.engine)
        if await reads.only_reads(self._parts.engine):
            return ProbeAnswer("unhealthy", "database: only reads; is it a standby, or its disk full?")
        return ProbeAnswer("healthy")

    async def _probe_temporal(self) -> ProbeAnswer:
        if self._parts is None:
            return self._not_yet()
        await temporal.probe(self._parts.client)
        return ProbeAnswer("healthy")

    async def _probe_novu(self) -> ProbeAnswer:
        if self._parts is None:
            return self._not_yet()
        gate = self._parts.gate
        if gate.stopped:
            return ProbeAnswer("unhealthy", gate.reason or "")
        return ProbeAnswer("degraded" if gate.closed else "healthy", gate.reason or "")

    async def _probe_worker(self) -> ProbeAnswer:
        if self._waiting.reason:
            return self._not_yet()
        if not self._executors.complete:
            return ProbeAnswer("degraded", "an executor process is missing")
        return ProbeAnswer("healthy")

    async def _probe_orchestration(self) -> ProbeAnswer:
        if self._orchestration is None or self._waiting.reason:
            return ProbeAnswer("healthy", self._waiting.reason or "")
        return await self._orchestration.probe()

    def _not_yet(self) -> ProbeAnswer:
        return ProbeAnswer("unhealthy", self._waiting.reason or "")

    def _status(self) -> Mapping[str, Any]:
        parts = self._parts
        return {
            "deployment": None if parts is None else contract.prefix(parts.deployment),
            "temporal_status": {
                "address": self._settings.temporal_address,
                "namespace": self._settings.temporal_namespace,
                "task_queue": self._settings.temporal_task_queue,
                "search_attributes": parts is not None and parts.searchable,
            },
            "backlog": self._backlog,
            "loops": {drain.name: drain.status() for drain in self._drains},
            "executors": self._executors.status(),
            "gate": None if parts is None else parts.gate.status(),
            "wakeup": {
                "on": self._settings.poll_wakeup,
                "listening": self._wakeup is not None and self._wakeup.listening,
            },
            "alarm": {"on": self._alarm is not None, **({} if self._alarm is None else self._alarm.status())},
            "orchestration": None if self._orchestration is None else self._orchestration.status(),
            "enterprises": self._settings.worker_enterprise_ids or "all",
        }


def _tell_bug(task: asyncio.Task[None]) -> None:
    """Tell of what was to go on for ever and did not; the polls, which are the truth, go on without it."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("ended by a bug", task=task.get_name(), bug=type(error).__name__, at=log.trace(error))
