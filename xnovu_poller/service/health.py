"""The answers of /health and /status about a worker."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from xnovu_poller import metrics
from xnovu_poller.errors import StoreError, TemporalError, XnovuError
from xnovu_poller.lifecycle import LoopName
from xnovu_poller.service.children import ChildProcesses
from xnovu_poller.service.deaths import DeathWatcher
from xnovu_poller.service.looks import Looks
from xnovu_poller.service.running import Running
from xnovu_poller.service.waiting import StartWait
from xnovu_poller.settings import Settings
from xnovu_poller.store.notifications.backlog import count_backlog
from xnovu_poller.temporal import client as temporal
from xnovu_poller.web.health import Probe, ProbeAnswer

NOT_STARTED = ProbeAnswer("degraded", "not started")
"""The answer of a component while the start waits for another."""

HEALTHY = ProbeAnswer("healthy")


class WorkerHealth:
    """Probes the components of a worker for /health, and describes them for /status.

    Args:
        wait: knows why the worker does not work, while it starts or stops.
        children: its executor processes.

    Attributes:
        running: the running parts; None until the start is complete.
        backlog: the due rows by loop and the rows in flight, as of the last probe; None before the first.
        deaths: watches how many notifications become DEAD.
        looks: what PostgreSQL and Temporal know besides; None until the start is complete.
    """

    def __init__(self, settings: Settings, wait: StartWait, children: ChildProcesses) -> None:
        self._settings = settings
        self._wait = wait
        self._children = children
        self.backlog: Mapping[str, int] | None = None
        self.running: Running | None = None
        self.deaths = DeathWatcher(metrics.REGISTRY)
        self.looks: Looks | None = None

    @property
    def probes(self) -> list[Probe]:
        """The probes of /health."""
        return [
            Probe("database", self._probe_database),
            Probe("temporal", self._probe_temporal),
            Probe("novu", self._probe_novu),
            Probe("worker", self._probe_worker),
            Probe("loops", self._probe_loops, failed="degraded"),
            Probe("deliveries", self._probe_deliveries, failed="degraded"),
            Probe("chores", self._probe_chores, failed="degraded"),
        ]

    def start(self, running: Running) -> None:
        """Answer for these parts from now on."""
        self.running = running
        self.looks = Looks(self._settings, running.parts)

    async def status(self) -> Mapping[str, Any]:
        """Describe the worker for /status, as far as it has started; it names enterprises only to those with the token."""
        status: dict[str, Any] = {
            "deployment": None,
            "search_attributes": self.running is not None and self.running.parts.search.registered,
            "backlog": self.backlog,
            "loops": {},
            "executors": self._children.status(),
            "gate": None,
            "wakeup": {"on": self._settings.poll_wakeup, "listening": False},
            "due_timer": {"on": False},
            "chores": None,
        }
        if self.running is None or self.looks is None:
            return status
        status |= self.running.status()
        oldest, known = await asyncio.gather(self.looks.oldest_due.read(), self.looks.describe())
        for loop in status["loops"].keys() & set(LoopName):
            status["loops"][loop]["backlog"] = (self.backlog or {}).get(loop)
            status["loops"][loop]["oldest_due_seconds"] = _seconds(oldest and oldest[loop])
        return {**status, **known}

    async def _probe_database(self) -> ProbeAnswer:
        if self.running is None:
            # The start reaches Temporal only after PostgreSQL.
            return HEALTHY if isinstance(self._wait.error, TemporalError) else self._blame(StoreError)
        self.backlog = await count_backlog(self.running.parts.engine)
        return HEALTHY

    async def _probe_temporal(self) -> ProbeAnswer:
        if self.running is None:
            return self._blame(TemporalError)
        await temporal.probe(self.running.parts.client)
        return HEALTHY

    async def _probe_novu(self) -> ProbeAnswer:
        if self.running is None:
            return NOT_STARTED
        gate, contact = self.running.parts.gate, self.running.parts.novu.contact
        if gate.stopped:
            return ProbeAnswer("unhealthy", gate.reason or "")
        if gate.reason is not None:
            return ProbeAnswer("degraded", gate.reason)
        detail = await contact.look()
        return ProbeAnswer("healthy" if contact.fault is None else "degraded", detail)

    async def _probe_worker(self) -> ProbeAnswer:
        if self._wait.error is not None:
            return NOT_STARTED
        if self._wait.reason:
            return ProbeAnswer("unhealthy", self._wait.reason)
        if not self._children.complete:
            return ProbeAnswer("degraded", "an executor process is missing; it is being restarted")
        return HEALTHY

    async def _probe_loops(self) -> ProbeAnswer:
        if self.running is None:
            return NOT_STARTED
        fault = self.running.fault
        return ProbeAnswer("degraded", fault) if fault else ProbeAnswer("healthy", self.running.last_turns)

    async def _probe_deliveries(self) -> ProbeAnswer:
        if self.running is None:
            return NOT_STARTED
        return await asyncio.to_thread(self.deaths.judge)

    async def _probe_chores(self) -> ProbeAnswer:
        if self.running is None:
            return NOT_STARTED
        if self._wait.reason:
            return ProbeAnswer("healthy", self._wait.reason)
        return await self.running.chores.probe()

    def _blame(self, kind: type[XnovuError]) -> ProbeAnswer:
        """Return that a server is away if the start waits for it, and otherwise only that nothing has started."""
        error = self._wait.error
        return ProbeAnswer("unhealthy", str(error)) if isinstance(error, kind) else NOT_STARTED


def _seconds(since: timedelta | None) -> float | None:
    return None if since is None else round(since.total_seconds(), 3)
