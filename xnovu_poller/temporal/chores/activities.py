"""The activities of the chores: each does one for the deployment, and records how it went."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from temporalio import activity

from xnovu_poller import log, metrics
from xnovu_poller.errors import StoreUnavailable, XnovuError
from xnovu_poller.lifecycle import ChoreName
from xnovu_poller.store import checks, chores, statistics
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.purge import purge
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.boundary import ActivityBoundary
from xnovu_poller.temporal.contract import ChoresInput
from xnovu_poller.temporal.rules.reconcile import reconcile
from xnovu_poller.temporal.rules.schedules import RuleSchedules

_log = log.get(__name__)

PURGE_BUDGET = timedelta(seconds=5)
"""Of one purge; the next purge continues where it stopped."""

PURGE_SHARE = 0.5
"""The share of its budget in which a purge works; it pauses for the rest."""

Report = dict[str, Any]


class ChoreActivities:
    """Does the chores of a deployment.

    Args:
        engine: the pool.
        schedules: of the deployment's rules.
        deployment: the only one whose chores this process may do.
        keep: how long ended notifications are kept; None: for ever.
        budget: of one purge.
        every: the interval of the schedule. A run that was requested earlier, as after each change of a rule, does the
            rules; it skips other chores that were done less than half an interval ago.
    """

    def __init__(
        self,
        engine: Engine,
        schedules: RuleSchedules,
        deployment: str,
        *,
        keep: timedelta | None,
        budget: timedelta = PURGE_BUDGET,
        every: timedelta = timedelta(0),
    ) -> None:
        self._engine = engine
        self._schedules = schedules
        self._keep = keep
        self._budget = budget
        self._fresh_for = every / 2
        self._boundary = ActivityBoundary(deployment)

    @activity.defn(name=ChoreName.RULES)
    async def rules(self, chores_input: ChoresInput) -> Report:
        """Let the schedules follow the rules."""
        return await self._do(ChoreName.RULES, chores_input, self._reconcile)

    @activity.defn(name=ChoreName.RETENTION)
    async def retention(self, chores_input: ChoresInput) -> Report:
        """Delete notifications that ended long ago, slowly enough that the loops do not notice."""
        return await self._do(ChoreName.RETENTION, chores_input, self._purge)

    @activity.defn(name=ChoreName.STATISTICS)
    async def statistics(self, chores_input: ChoresInput) -> Report:
        """Count, within bounds, what waits and the rules by state."""
        return await self._do(ChoreName.STATISTICS, chores_input, lambda: statistics.collect(self._engine))

    @activity.defn(name=ChoreName.DOCTOR)
    async def doctor(self, chores_input: ChoresInput) -> Report:
        """Look for what a person should repair."""
        return await self._do(ChoreName.DOCTOR, chores_input, self._examine)

    async def _reconcile(self) -> Report:
        # Use Temporal's clock: with a wrong clock of the worker, rules would miss their times.
        report = await reconcile(self._engine, self._schedules, activity.info().started_time)
        return {outcome.value: count for outcome, count in report.items()}

    async def _purge(self) -> Report:
        """Purge slice by slice from where the last purge stopped, until the budget is spent or nothing is left.

        If the process dies here, deleted rows stay deleted, and the next purge starts where this purge did.
        """
        after = await self._read_last_position()
        if self._keep is None:
            return {"deleted": 0, "after": after}
        deleted, end = 0, time.monotonic() + self._budget.total_seconds()
        while True:
            start = time.monotonic()
            slice_ = await purge(self._engine, after, self._keep)
            metrics.PURGED.inc(slice_.deleted)
            deleted += slice_.deleted
            if slice_.taken:
                break
            after = slice_.after or 0
            pause = (time.monotonic() - start) * (1 / PURGE_SHARE - 1)
            if slice_.after is None or time.monotonic() + pause >= end:
                break
            await asyncio.sleep(pause)
        if deleted:
            _log.info("old notifications purged", purged=deleted)
        return {"deleted": deleted, "after": after}

    async def _read_last_position(self) -> int:
        recorded = await chores.read_all(self._engine)
        return next(
            (int(chore.report.get("after", 0)) for chore in recorded if chore.name == ChoreName.RETENTION), 0
        )

    async def _examine(self) -> Report:
        findings = await checks.examine(self._engine)
        return {"findings": [asdict(finding) for finding in findings]}

    async def _do(
        self, name: ChoreName, chores_input: ChoresInput, chore: Callable[[], Awaitable[Report]]
    ) -> Report:
        """Do a chore, and record how it went, even if it failed.

        Raises:
            ApplicationError: the chore failed, or belongs to another deployment.
        """
        async with self._boundary.guard(chores_input.deployment, contract.HEARTBEAT_TIMEOUT):
            start = time.monotonic()
            try:
                if name != ChoreName.RULES and await chores.is_fresh(self._engine, name, self._fresh_for):
                    return {"skipped": "done a moment ago"}
                report = await chore()
            except Exception as error:
                metrics.CHORES.labels(name, "failed").inc()
                await self._record_failure(name, start, error)
                raise
            metrics.CHORES.labels(name, "done").inc()
            await chores.record(self._engine, name, _since(start), report)
        return report

    async def _record_failure(self, name: ChoreName, start: float, error: Exception) -> None:
        reason = str(error) if isinstance(error, XnovuError) else f"a bug: {type(error).__name__}"
        _log.warning("chore failed", chore=name, reason=reason)
        try:
            await chores.record(self._engine, name, _since(start), None, reason)
        except StoreUnavailable as unavailable:
            _log.warning("chore not recorded", chore=name, reason=str(unavailable))


def _since(start: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - start)
