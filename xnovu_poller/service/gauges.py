"""Set the gauges to what they are now, each time somebody asks for /metrics."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from xnovu_poller import metrics
from xnovu_poller.lifecycle import ChoreName, LoopName, PauseScope
from xnovu_poller.service.health import WorkerHealth
from xnovu_poller.service.parts import Parts
from xnovu_poller.service.running import Running
from xnovu_poller.store.engine import count_connections
from xnovu_poller.store.notifications.waiting import Waiting


class Gauges:
    """Sets the gauges of a worker; what the database does not answer is NaN."""

    def __init__(self, health: WorkerHealth, *, enterprises: int = 0) -> None:
        self._health = health
        self._enterprises = enterprises

    async def measure(self, answer: Mapping[str, Any]) -> None:
        """Set all gauges.

        Args:
            answer: that of /health, which was just made.
        """
        components = answer["components"]
        for name, component in components.items():
            for status in metrics.HEALTH_STATES:
                metrics.COMPONENT_HEALTH.labels(name, status).set(component["status"] == status)
        running, looks = self._health.running, self._health.looks
        if running is None or looks is None:
            return
        is_known = components["database"]["status"] == "healthy"
        _set_backlog((is_known and self._health.backlog) or {})
        _set_parts(running.parts)
        _set_running(running)
        _set_oldest_due(await looks.oldest_due.read())
        _set_pauses(await looks.pauses.read() or {})
        if self._enterprises:
            _set_waiting(await looks.waiting.read() or {})


def _set_backlog(backlog: Mapping[str, float]) -> None:
    metrics.IN_FLIGHT.set(backlog.get("in_flight", math.nan))
    for loop in LoopName:
        metrics.BACKLOG.labels(loop).set(backlog.get(loop, math.nan))


def _set_pauses(pauses: Mapping[PauseScope, float]) -> None:
    for scope in PauseScope:
        metrics.PAUSES.labels(scope).set(pauses.get(scope, math.nan))


def _set_parts(parts: Parts) -> None:
    metrics.GATE_OPEN.set(not parts.gate.closed)
    metrics.TRIPPED_WORKFLOWS.set(parts.gate.breaker.tripped)
    for pool, engine in zip(metrics.POOLS, (parts.engine, parts.aside), strict=True):
        used, most = count_connections(engine)
        metrics.POOL_IN_USE.labels(pool).set(used)
        metrics.POOL_MOST.labels(pool).set(most)


def _set_running(running: Running) -> None:
    metrics.WAKEUP_LISTENING.set(running.is_listening)
    for loop, lag in running.lags().items():
        metrics.LOOP_LAG_SECONDS.labels(loop).set(lag.total_seconds())
    rules = running.chores.reports().get(ChoreName.STATISTICS, {}).get("rules", {})
    for state in metrics.RULE_STATES:
        metrics.RULES.labels(state).set(rules.get(state, 0))


def _set_oldest_due(oldest: Mapping[str, timedelta | None] | None) -> None:
    for loop in LoopName:
        since = oldest and oldest[loop]
        seconds = math.nan if oldest is None else since.total_seconds() if since else 0
        metrics.OLDEST_DUE_SECONDS.labels(loop).set(seconds)


def _set_waiting(waiting: Mapping[str, Waiting]) -> None:
    """Show the enterprises that wait, and no others."""
    metrics.ENTERPRISE_BACKLOG.clear()
    metrics.ENTERPRISE_OLDEST_DUE_SECONDS.clear()
    for enterprise, each in waiting.items():
        metrics.ENTERPRISE_BACKLOG.labels(enterprise).set(each.due)
        metrics.ENTERPRISE_OLDEST_DUE_SECONDS.labels(enterprise).set(each.oldest.total_seconds())
