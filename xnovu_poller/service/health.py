"""The answers of /health and /status about a worker."""

from collections.abc import Mapping
from typing import Any

from xnovu_poller.service.children import ChildProcesses
from xnovu_poller.service.running import Running
from xnovu_poller.service.waiting import StartWait
from xnovu_poller.settings import Settings
from xnovu_poller.store.engine import is_read_only
from xnovu_poller.store.notifications.backlog import count_backlog
from xnovu_poller.temporal import client as temporal
from xnovu_poller.web.health import Probe, ProbeAnswer


class WorkerHealth:
    """Probes the components of a worker for /health, and describes them for /status.

    Args:
        wait: knows why the worker does not work, while it starts or stops.
        children: its executor processes.

    Attributes:
        running: the running parts; None until the start is complete.
    """

    def __init__(self, settings: Settings, wait: StartWait, children: ChildProcesses) -> None:
        self._settings = settings
        self._wait = wait
        self._children = children
        self._backlog: Mapping[str, int] | None = None
        self.running: Running | None = None

    @property
    def probes(self) -> list[Probe]:
        """The probes of /health."""
        return [
            Probe("database", self._probe_database),
            Probe("temporal", self._probe_temporal),
            Probe("novu", self._probe_novu),
            Probe("worker", self._probe_worker),
            Probe("chores", self._probe_chores, failed="degraded"),
        ]

    def status(self) -> Mapping[str, Any]:
        """Describe the worker for /status, as far as it has started."""
        settings = self._settings
        status: dict[str, Any] = {
            "deployment": None,
            "temporal_status": {
                "address": settings.temporal_address,
                "namespace": settings.temporal_namespace,
                "task_queue": settings.temporal_task_queue,
                "search_attributes": self.running is not None and self.running.parts.search.registered,
            },
            "backlog": self._backlog,
            "loops": {},
            "executors": self._children.status(),
            "gate": None,
            "wakeup": {"on": settings.poll_wakeup, "listening": False},
            "due_timer": {"on": False},
            "chores": None,
            "enterprises": settings.worker_enterprise_ids or "all",
        }
        return status if self.running is None else status | dict(self.running.status())

    async def _probe_database(self) -> ProbeAnswer:
        if self.running is None:
            return self._not_started()
        engine = self.running.parts.engine
        self._backlog = await count_backlog(engine)
        if await is_read_only(engine):
            return ProbeAnswer("unhealthy", "database: is read-only (a standby, or its disk is full?)")
        return ProbeAnswer("healthy")

    async def _probe_temporal(self) -> ProbeAnswer:
        if self.running is None:
            return self._not_started()
        await temporal.probe(self.running.parts.client)
        return ProbeAnswer("healthy")

    async def _probe_novu(self) -> ProbeAnswer:
        if self.running is None:
            return self._not_started()
        gate = self.running.parts.gate
        if gate.stopped:
            return ProbeAnswer("unhealthy", gate.reason or "")
        return ProbeAnswer("degraded" if gate.closed else "healthy", gate.reason or "")

    async def _probe_worker(self) -> ProbeAnswer:
        if self._wait.reason:
            return self._not_started()
        if not self._children.complete:
            return ProbeAnswer("degraded", "an executor process is missing; it is being restarted")
        return ProbeAnswer("healthy")

    async def _probe_chores(self) -> ProbeAnswer:
        if self.running is None or self._wait.reason:
            return ProbeAnswer("healthy", self._wait.reason or "")
        return await self.running.chores.probe()

    def _not_started(self) -> ProbeAnswer:
        return ProbeAnswer("unhealthy", self._wait.reason or "")
