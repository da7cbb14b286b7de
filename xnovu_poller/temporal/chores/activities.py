"""The activities of the chores: each does one for the deployment, and records how it went."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import activity

from xnovu_poller import log, metrics
from xnovu_poller.checks.checker import Checker
from xnovu_poller.errors import StoreUnavailable, XnovuError
from xnovu_poller.lifecycle import ChoreName, Language
from xnovu_poller.novu.workflows import NovuWorkflows
from xnovu_poller.store import audit, checks, chores, minutes, pauses, statistics, workflow_sync
from xnovu_poller.store.chores import Last
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.purge import purge
from xnovu_poller.sync import plan
from xnovu_poller.sync.apply import synchronise
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.boundary import ActivityBoundary
from xnovu_poller.temporal.contract import ChoresInput
from xnovu_poller.temporal.rules.reconcile import Reconciler
from xnovu_poller.temporal.rules.schedules import RuleSchedules

_log = log.get(__name__)

PURGE_BUDGET = timedelta(seconds=5)
"""Of one purge; the next purge continues where it stopped."""

COMPARED_SHARE = 0.1
"""The share of the time in which all rules are compared, if more runs are requested; changes are followed in each run."""

PURGE_SHARE = 0.5
"""The share of its budget in which a purge works; it pauses for the rest."""

SYNCHRONISED_EVERY = timedelta(minutes=10)
"""Novu's workflows are compared with the rows at each change, and this often for what people change in Novu."""

MOST_PROBLEMS = 100
"""The most problems that are logged and reported: tenants may write many workflows."""

Report = dict[str, Any]


class ChoreActivities:
    """Does the chores of a deployment.

    Args:
        engine: the pool.
        schedules: of the deployment's rules.
        deployment: the only one whose chores this process may do.
        keep: how long ended notifications are kept; None: for ever.
        language: of templates that are checked for an enterprise without one.
        budget: of one purge.
        novu: the workflows of Novu; None if they do not follow the rows.
        every: the interval of the schedule. A run that was requested earlier, as after each change of a rule, does the
            rules and checks changed rows; it skips other chores that were done less than half an interval ago.
    """

    def __init__(  # noqa: PLR0913 - the parts of the chores, each named
        self,
        engine: Engine,
        schedules: RuleSchedules,
        deployment: str,
        *,
        keep: timedelta | None,
        language: Language,
        budget: timedelta = PURGE_BUDGET,
        novu: NovuWorkflows | None = None,
        every: timedelta = timedelta(0),
    ) -> None:
        self._engine = engine
        self._reconciler = Reconciler(engine, schedules)
        self._compared_again_at = -math.inf
        self._checker = Checker(engine, language)
        self._keep = keep
        self._budget = budget
        self._novu = novu
        self._fresh_for = every / 2
        self._boundary = ActivityBoundary(deployment)

    @activity.defn(name=ChoreName.RULES)
    async def rules(self, chores_input: ChoresInput) -> Report:
        """Let the schedules follow the rules."""
        return await self._do(ChoreName.RULES, chores_input, self._reconcile)

    @activity.defn(name=ChoreName.RETENTION)
    async def retention(self, chores_input: ChoresInput) -> Report:
        """Delete notifications that ended long ago, slowly enough that the loops do not notice, and old lines of the audit."""
        return await self._do(ChoreName.RETENTION, chores_input, self._purge)

    @activity.defn(name=ChoreName.STATISTICS)
    async def statistics(self, chores_input: ChoresInput) -> Report:
        """Count, within bounds, what waits and the rules by state."""
        return await self._do(ChoreName.STATISTICS, chores_input, self._count)

    @activity.defn(name=ChoreName.DOCTOR)
    async def doctor(self, chores_input: ChoresInput) -> Report:
        """Look for what a person should repair."""
        return await self._do(ChoreName.DOCTOR, chores_input, self._examine)

    @activity.defn(name=ChoreName.CHECKS)
    async def checks(self, chores_input: ChoresInput) -> Report:
        """Check published templates and workflows: those that have changed, and a part of the others."""
        return await self._do(ChoreName.CHECKS, chores_input, self._check)

    @activity.defn(name=ChoreName.WORKFLOWS)
    async def workflows(self, chores_input: ChoresInput) -> Report:
        """Let Novu's workflows follow the rows."""
        return await self._do(ChoreName.WORKFLOWS, chores_input, self._synchronise)

    async def _reconcile(self, _last: Report) -> Report:
        """Follow the changed rules; compare all of them too, unless that was done a moment ago."""
        start = time.monotonic()
        all_rules = self._reconciler.left > 0 or start >= self._compared_again_at
        # Use Temporal's clock: with a wrong clock of the worker, rules would miss their times.
        report = await self._reconciler.run(activity.info().started_time, all_rules=all_rules)
        if all_rules:
            pause = (time.monotonic() - start) * (1 / COMPARED_SHARE - 1)
            self._compared_again_at = time.monotonic() + min(pause, self._fresh_for.total_seconds())
        return {outcome.value: count for outcome, count in report.items()} | {"left": self._reconciler.left}

    async def _purge(self, last: Report) -> Report:
        """Purge slice by slice from where the last purge stopped, until the budget is spent or nothing is left.

        If the process dies here, deleted rows stay deleted, and the next purge starts where this purge did.
        """
        await pauses.forget(self._engine)
        after = int(last.get("after", 0))
        if self._keep is None:
            return {"deleted": 0, "after": after}
        deleted, end = 0, time.monotonic() + self._budget.total_seconds()
        while True:
            start = time.monotonic()
            slice_ = await purge(self._engine, after, self._keep)
            metrics.PURGED.inc(slice_.deleted)
            deleted += slice_.deleted
            after = slice_.after or 0
            pause = (time.monotonic() - start) * (1 / PURGE_SHARE - 1)
            if slice_.after is None or time.monotonic() + pause >= end:
                break
            await asyncio.sleep(pause)
        if deleted:
            _log.info("old notifications purged", purged=deleted)
        await audit.purge(self._engine, self._keep)
        return {"deleted": deleted, "after": after}

    async def _check(self, last: Report) -> Report:
        return await self._checker.run(last.get("after", {}), pause=self._fresh_for)

    async def _count(self, _last: Report) -> Report:
        """Collect the statistics, and keep what waits in this minute for the charts of the operator's page."""
        report = await statistics.collect(self._engine)
        await minutes.record_backlog(
            self._engine, report["due"], report["in_flight"], report["oldest_due_seconds"]
        )
        return report

    async def _examine(self, _last: Report) -> Report:
        findings = await checks.examine(self._engine)
        return {"findings": [{"code": found.code, "sentence": found.sentence} for found in findings]}

    async def _synchronise(self, _last: Report) -> Report:
        """Write what differs; a workflow that needs a person is in the report and in the log."""
        if self._novu is None:
            raise XnovuError("workflows: WORKFLOW_SYNC is off on this worker; set it alike on all workers")
        digest = plan.digest(await workflow_sync.read_kinds(self._engine))
        report = await synchronise(self._engine, self._novu)
        problems = report.problems[:MOST_PROBLEMS]
        for problem in problems:
            _log.warning("workflow needs a person", problem=problem)
        return {
            **Counter(item.action for item in report.items),
            "problems": problems,
            "digest": digest,
        }

    async def _read_last(self, name: ChoreName) -> Last:
        if name is ChoreName.RULES:  # each run follows the changes, and the reconciler keeps what it needs
            return Last(is_fresh=False, report={})
        within = SYNCHRONISED_EVERY if name is ChoreName.WORKFLOWS else self._fresh_for
        return await chores.read_last(self._engine, name, within)

    async def _is_done(self, name: ChoreName, last: Last) -> bool:
        """Return whether a chore need not be done now: each run follows the changes."""
        if not last.is_fresh or name is ChoreName.CHECKS:
            return False
        if name is ChoreName.WORKFLOWS:
            return last.report.get("digest") == plan.digest(await workflow_sync.read_kinds(self._engine))
        return True

    async def _do(
        self, name: ChoreName, chores_input: ChoresInput, chore: Callable[[Report], Awaitable[Report]]
    ) -> Report:
        """Do a chore, and record how it went, even if it failed.

        Args:
            chore: called with the last report.

        Raises:
            ApplicationError: the chore failed, or belongs to another deployment.
        """
        async with self._boundary.guard(chores_input.deployment, contract.HEARTBEAT_TIMEOUT):
            start = time.monotonic()
            try:
                last = await self._read_last(name)
                if await self._is_done(name, last):
                    return {"skipped": "done a moment ago"}
                report = await chore(last.report)
            except asyncio.CancelledError:
                # A worker that stops cancels its activities too; another worker then tries again at once.
                if not activity.is_worker_shutdown():
                    await self._record_failure(
                        name, start, "was cancelled before it ended, as after its timeout"
                    )
                raise
            except Exception as error:
                metrics.CHORES.labels(name, "failed").inc()
                reason = str(error) if isinstance(error, XnovuError) else f"a bug: {type(error).__name__}"
                await self._record_failure(name, start, reason)
                raise
            metrics.CHORES.labels(name, "done").inc()
            await chores.record(self._engine, name, _since(start), report)
        return report

    async def _record_failure(self, name: ChoreName, start: float, reason: str) -> None:
        _log.warning("chore failed", chore=name, reason=reason)
        try:
            await chores.record(self._engine, name, _since(start), None, reason)
        except StoreUnavailable as unavailable:
            _log.warning("chore not recorded", chore=name, reason=str(unavailable))


def _since(start: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - start)
