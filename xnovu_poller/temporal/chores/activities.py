"""The activities of the orchestration: each does a chore of the deployment, and notes how it went."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from temporalio import activity

from xnovu_poller import log, metrics
from xnovu_poller.errors import StoreUnavailable, XnovuError
from xnovu_poller.lifecycle import seconds
from xnovu_poller.store import checks, chores, statistics
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.purge import purge
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.boundary import Edge
from xnovu_poller.temporal.contract import Orchestrate
from xnovu_poller.temporal.rules.reconcile import reconcile
from xnovu_poller.temporal.rules.schedules import Schedules

_log = log.get(__name__)

RULES, RETENTION, STATISTICS, DOCTOR = contract.CHORES

BUDGET = timedelta(seconds=5)
"""Of a purge; the next one goes on where it stops."""

SHARE = 0.5
"""Of its budget a purge works; the rest of it, it rests."""

Report = dict[str, Any]

_SKIPPED: Report = {"skipped": "done a moment ago"}


class Chores:
    """Does the chores of a deployment.

    Args:
        engine: where the rows are.
        schedules: of the deployment's rules.
        deployment: whose chores this process may do.
        keep: for how long ended notifications stay; None: for ever.
        budget: of one purge.
        every: the orchestration's interval. Whoever has it run sooner, as each change of a rule does, has the rules
            followed; what was done less than half an interval ago is not done again.
    """

    def __init__(
        self,
        engine: Engine,
        schedules: Schedules,
        deployment: str,
        *,
        keep: timedelta | None,
        budget: timedelta = BUDGET,
        every: timedelta = timedelta(0),
    ) -> None:
        self._engine = engine
        self._schedules = schedules
        self._keep = keep
        self._budget = budget
        self._fresh = every / 2
        self._edge = Edge(deployment)

    @activity.defn(name=RULES)
    async def rules(self, work: Orchestrate) -> Report:
        """Let the schedules follow the rules."""
        return await self._done(RULES, work, self._reconcile)

    @activity.defn(name=RETENTION)
    async def retention(self, work: Orchestrate) -> Report:
        """Delete what has ended long ago, at a pace that the loops do not feel."""
        return await self._done(RETENTION, work, self._purge)

    @activity.defn(name=STATISTICS)
    async def statistics(self, work: Orchestrate) -> Report:
        """Count, within bounds, what waits and how rules stand."""
        return await self._done(STATISTICS, work, lambda: statistics.refresh(self._engine))

    @activity.defn(name=DOCTOR)
    async def doctor(self, work: Orchestrate) -> Report:
        """Look for what a person should mend."""
        return await self._done(DOCTOR, work, self._examine)

    async def _reconcile(self) -> Report:
        # By Temporal's clock: a worker's own that is wrong would let rules miss their times.
        return asdict(await reconcile(self._engine, self._schedules, activity.info().started_time))

    async def _purge(self) -> Report:
        """Purge slice by slice from where the last one stopped, until the budget is spent or nothing is left.

        If the process dies here, what was deleted stays deleted, and the next one begins where this one did.
        """
        after = await self._stopped_at()
        if self._keep is None:
            return {"deleted": 0, "after": after}
        deleted, end = 0, time.monotonic() + seconds(self._budget)
        while True:
            begun = time.monotonic()
            slice_ = await purge(self._engine, after, self._keep)
            metrics.PURGED.inc(slice_.deleted)
            deleted += slice_.deleted
            if slice_.taken:  # by a worker of the version before, which purged beside its loops
                break
            after = slice_.after or 0
            rest = (time.monotonic() - begun) * (1 / SHARE - 1)
            if slice_.after is None or time.monotonic() + rest >= end:
                break
            await asyncio.sleep(rest)
        if deleted:
            _log.info("old notifications purged", purged=deleted)
        return {"deleted": deleted, "after": after}

    async def _stopped_at(self) -> int:
        noted = await chores.noted(self._engine)
        return next((int(one.report.get("after", 0)) for one in noted if one.name == RETENTION), 0)

    async def _examine(self) -> Report:
        findings = await checks.examine(self._engine)
        return {"findings": [asdict(one) for one in findings]}

    async def _done(self, name: str, work: Orchestrate, chore: Callable[[], Awaitable[Report]]) -> Report:
        """Do a chore of our own deployment, and note how it went, also if it fails.

        Raises:
            ApplicationError: it failed, or is another deployment's.
        """
        async with self._edge.around(work.deployment, contract.SILENCE):
            begun = time.monotonic()
            try:
                if name != RULES and await chores.fresh(self._engine, name, self._fresh):
                    return dict(_SKIPPED)
                report = await chore()
            except Exception as error:
                metrics.CHORES.labels(name, "failed").inc()
                await self._note_failure(name, begun, error)
                raise
            metrics.CHORES.labels(name, "done").inc()
            await chores.note(self._engine, name, _since(begun), report)
        return report

    async def _note_failure(self, name: str, begun: float, error: Exception) -> None:
        reason = str(error) if isinstance(error, XnovuError) else f"a bug: {type(error).__name__}"
        _log.warning("chore failed", chore=name, reason=reason)
        try:
            await chores.note(self._engine, name, _since(begun), None, reason)
        except StoreUnavailable as unavailable:
            _log.warning("chore not noted", chore=name, reason=str(unavailable))


def _since(begun: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - begun)
