"""The running parts of a worker: its loops, and the parts that start their turns."""

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from xnovu_poller import log
from xnovu_poller.loops.cancel import Canceller
from xnovu_poller.loops.drain import Drain, Loop
from xnovu_poller.loops.due_timer import DueTimer
from xnovu_poller.loops.loop import PollLoop, poll_loops
from xnovu_poller.loops.rescue import Rescuer
from xnovu_poller.loops.timetable import Timetable
from xnovu_poller.loops.wakeup import WakeupListener
from xnovu_poller.metrics.enterprises import BUSY
from xnovu_poller.service.chore_health import ChoreHealth
from xnovu_poller.service.event_loop import observe_lag
from xnovu_poller.service.parts import Parts
from xnovu_poller.settings import Settings
from xnovu_poller.store.listen import Listener
from xnovu_poller.store.notifications.backlog import time_to_next_due
from xnovu_poller.store.notifications.claim import Terms
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.chores.keeper import ChoreKeeper
from xnovu_poller.temporal.chores.schedule import ChoreSchedule
from xnovu_poller.temporal.delivery.handoff import Handoff

_log = log.get(__name__)

LATE_INTERVALS = 5
LATE_AT_LEAST = timedelta(minutes=2)
"""/health is degraded if a loop is late by this many intervals, and by at least this long."""


class Running:
    """Wires the running parts of a worker to each other.

    Attributes:
        chores: the health of the deployment's chores.
    """

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.parts = parts
        self._settings = settings
        BUSY.shown = settings.metrics_enterprises
        self._polling, aside = _build_loops(settings, parts)
        self._loops: list[Loop] = [*self._polling, *aside]
        self._drains = {loop.name: Drain(loop) for loop in self._loops}
        self._timetable = Timetable()
        for loop in self._loops:
            self._timetable.enter(loop.name, self._drains[loop.name].drain, loop.interval)
        every = settings.rule_poll_interval
        schedule = ChoreSchedule(
            parts.client,
            deployment=parts.deployment,
            task_queue=settings.temporal_task_queue,
            every=every,
            workflows=settings.workflow_sync,
        )
        self._keeper = ChoreKeeper(schedule, every=every)
        self.chores = ChoreHealth(parts.engine, schedule, self._keeper, every=every)
        # The timer needs the notifications of the database: without them it would miss times that are set later.
        self._timer: DueTimer | None = None
        self._wakeup: WakeupListener | None = None
        if settings.poll_wakeup:
            if "scheduled" in self._drains:
                self._timer = DueTimer(
                    partial(time_to_next_due, parts.engine), self._drains["scheduled"].drain
                )
            listener = Listener(settings.database_url.get_secret_value())
            self._wakeup = WakeupListener(listener, self._wake, self._keeper.request_run)
        self._callers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the parts that start turns and chores."""
        callers: dict[str, Coroutine[Any, Any, None]] = {
            "chore keeper": self._keeper.run(),
            "event loop lag": observe_lag(),
        }
        if self._wakeup is not None:
            callers["wakeup"] = self._wakeup.run()
        if self._timer is not None:
            callers["due timer"] = self._timer.run()
        self._callers = [asyncio.create_task(caller, name=name) for name, caller in callers.items()]
        for task in self._callers:
            task.add_done_callback(_log_crash)
        self._timetable.start()

    async def stop(self, patience: timedelta) -> None:
        """Claim no more, let turns in progress end, then stop the parts that start turns.

        Args:
            patience: turns that have not ended by then are cancelled, because PostgreSQL or Temporal does not answer.
        """
        for loop in self._loops:
            loop.stop()
        _log.info("worker stopping")
        # Turns run in tasks of the timetable and the callers, so keep those until the turns have ended.
        turns = asyncio.gather(*(drain.stop() for drain in self._drains.values()))
        await asyncio.wait([turns], timeout=patience.total_seconds())
        self._timetable.stop()
        for task in self._callers:
            task.cancel()

    @property
    def fault(self) -> str | None:
        """A sentence about a loop whose last turn crashed, or that is late; its enterprises are not served."""
        return next(filter(None, map(_find_fault, self._drains.values())), None)

    @property
    def last_turns(self) -> str:
        """How long ago the last turn of each loop ended that succeeded."""
        ages = (f"{drain.name} {drain.age.total_seconds():.0f} s" for drain in self._drains.values())
        return f"last turns: {', '.join(ages)} ago"

    @property
    def is_listening(self) -> bool:
        """Whether the database's wake-ups are received now."""
        return self._wakeup is not None and self._wakeup.is_listening

    def lags(self) -> Mapping[str, timedelta]:
        """Return by loop for how long it has had no turn that succeeded, beyond its interval."""
        return {name: drain.lag for name, drain in self._drains.items()}

    def status(self) -> Mapping[str, Any]:
        """Describe the running parts for /status."""
        claims = {loop.name: {"claimed": loop.claimed} for loop in self._polling}
        return {
            "deployment": contract.prefix(self.parts.deployment),
            "loops": {
                name: {**drain.status(), **claims.get(name, {})} for name, drain in self._drains.items()
            },
            "gate": self.parts.gate.status(),
            "wakeup": {"on": self._wakeup is not None, "listening": self.is_listening},
            "due_timer": {"on": self._timer is not None, **(self._timer.status() if self._timer else {})},
            "chores": self.chores.status(),
        }

    async def _wake(self) -> None:
        if self._timer is not None:
            self._timer.look()
        # Turn one after the other: together they would be slower, and new notifications are more urgent.
        for name in ("new", "scheduled"):
            if name in self._drains:
                await self._drains[name].drain()


def _build_loops(settings: Settings, parts: Parts) -> tuple[list[PollLoop], list[Loop]]:
    """Return the loops that claim, and the others."""
    terms = Terms(
        prefix=contract.prefix(parts.deployment),
        batch=settings.claim_size,
        group_size=settings.group_size,
        grouped_from=settings.grouped_from,
        max_in_flight=settings.max_in_flight,
        lease=settings.claim_lease,
        enterprises=settings.worker_enterprise_ids,
    )
    handoff = Handoff(
        parts.client,
        task_queue=settings.temporal_task_queue,
        deployment=parts.deployment,
        call=settings.novu_timeout,
        search=parts.search,
        fair=settings.temporal_fairness,
    )
    intervals = {
        "new": settings.poll_interval,
        "scheduled": settings.scheduled_poll_interval,
        "failed": settings.failed_poll_interval,
    }
    intervals = {name: interval for name, interval in intervals.items() if name in settings.poll_loops}
    rescuer = Rescuer(
        parts.engine,
        ask=handoff.ask,
        start=handoff.start,
        terms=terms,
        lease=settings.lease,
        interval=settings.failed_poll_interval,
    )
    canceller = Canceller(parts.engine, parts.gate, parts.novu, interval=settings.poll_interval)
    polling = poll_loops(parts.engine, parts.gate, terms=terms, start=handoff.start, intervals=intervals)
    return polling, [rescuer, canceller]


def _find_fault(drain: Drain) -> str | None:
    if drain.bug:
        return f"{drain.name} loop: its last turn crashed ({drain.bug}); see the log"
    if drain.lag < max(LATE_INTERVALS * drain.interval, LATE_AT_LEAST):
        return None
    because = "its turn has not ended" if drain.last_error is None else drain.last_error
    return f"{drain.name} loop: no turn has succeeded for {drain.age.total_seconds():.0f} s ({because})"


def _log_crash(task: asyncio.Task[None]) -> None:
    """Log that a task crashed that should have run for ever; polling continues without it."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.bug(_log, "task crashed", error, task=task.get_name())
