"""The reconciliation: what Temporal lists is compared with the rules' rows, and follows them."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from xnovu_poller import log, metrics
from xnovu_poller.errors import ScheduleRefused
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.store import rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import Rule, Verdict
from xnovu_poller.temporal.decisions import Decision, Step, decide
from xnovu_poller.temporal.plans import Listed, Plan
from xnovu_poller.temporal.schedules import Schedules

_log = log.get(__name__)

AT_ONCE = 20
"""Calls to Temporal under way; more are no faster."""

BATCH = 200
"""Rules whose verdicts are written together."""

_MISSED = "{at:%Y-%m-%dT%H:%M:%SZ} had passed when it was first seen; it did not fire"

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a reconciliation did.

    Attributes:
        created: schedules made.
        updated: rebuilt whole.
        paused: rebuilt or left, and standing still now.
        deleted: of rules that are gone.
        caught_up: one-time rules fired late, within their catchup.
        missed: one-time rules that are done, and did not fire.
        invalid: rules found invalid that were not before.
        failed: rules whose schedules Temporal would not have.
        unchanged: rules of which all this is so already.
    """

    created: int = 0
    updated: int = 0
    paused: int = 0
    deleted: int = 0
    caught_up: int = 0
    missed: int = 0
    invalid: int = 0
    failed: int = 0
    unchanged: int = 0


async def reconcile(engine: Engine, schedules: Schedules, now: datetime) -> Reconciled:
    """Let the schedules follow the rules, and tell each rule what became of it.

    Schedules are listed before the rows are read: a rule that comes in between is made, and none is deleted
    that was not listed. If the process dies here, the next one finds the rest.

    Args:
        engine: where the rules are.
        schedules: those of this deployment.
        now: the time, by Temporal's clock, as this begins.

    Raises:
        StoreUnavailable: PostgreSQL does not answer; what was done stands.
        TemporalUnavailable: no answer; the same.
        HandoffRefused: Temporal serves none of it.
    """
    # Thousands of rules take minutes, within which times pass.
    counted_from = now - timedelta(seconds=time.monotonic())
    listed = await schedules.listed()
    found = await rules.read_all(engine)
    did: Counter[str] = Counter()
    run = _Run(schedules, listed, counted_from, asyncio.Semaphore(AT_ONCE))
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        ends = await _all([run.follow(rule) for rule in batch])
        if news := [one for rule, (one, _) in zip(batch, ends, strict=True) if _is_news(rule, one)]:
            await rules.mark(engine, news)
        did.update(kind for _, kind in ends)
    orphans = sorted(listed.keys() - {rule.id for rule in found})
    await _all([run.delete(rule_id) for rule_id in orphans])
    did["deleted"] = len(orphans)
    return _told(did)


@dataclass(frozen=True, slots=True)
class _Run:
    """One reconciliation under way."""

    schedules: Schedules
    listed: dict[int, Listed]
    counted_from: datetime
    places: asyncio.Semaphore

    @property
    def now(self) -> datetime:
        """The time by Temporal's clock, counted on by ours."""
        return self.counted_from + timedelta(seconds=time.monotonic())

    async def follow(self, rule: Rule) -> tuple[Verdict, str]:
        """See to the schedule of a rule.

        Returns:
            What is true of the rule now, and the kind of what was done.
        """
        async with self.places:
            try:
                verdict, kind = await self._carried_out(rule, self._decided(rule))
            except ScheduleRefused as error:
                verdict, kind = Verdict(rule.id, RuleStatus.FAILED, str(error)), "failed"
        if not _is_news(rule, verdict):
            return verdict, kind
        if verdict.error is not None:
            _log.warning("rule not scheduled", rule_id=rule.id, status=verdict.status, reason=verdict.error)
        return verdict, "invalid" if verdict.status is RuleStatus.INVALID else kind

    async def delete(self, rule_id: int) -> None:
        """Delete the schedule of a rule that is gone."""
        async with self.places:
            await self.schedules.delete(rule_id)

    def _decided(self, rule: Rule) -> Decision:
        try:
            return decide(rule, self.listed.get(rule.id), task_queue=self.schedules.task_queue, now=self.now)
        except Exception as error:  # noqa: BLE001 - whatever a tenant has written stops no other's rules
            name = type(error).__name__
            _log.error("rule not understood", rule_id=rule.id, bug=name, at=log.trace(error))
            return Decision(Step.LEAVE, None, Verdict(rule.id, RuleStatus.FAILED, f"a bug: {name}"))

    async def _carried_out(self, rule: Rule, decision: Decision) -> tuple[Verdict, str]:
        step, plan = decision.step, decision.plan
        if step is Step.HALT:
            await self.schedules.halt(rule.id)
            return decision.verdict, "paused"
        if plan is None:
            failed = decision.verdict.status is RuleStatus.FAILED
            return decision.verdict, "failed" if failed else step
        if step is not Step.LEAVE:
            await self.schedules.apply(plan, exists=rule.id in self.listed)
        if decision.passed is None:
            return decision.verdict, step
        return await self._late(plan, decision.passed, decision.verdict, step)

    async def _late(self, plan: Plan, at: datetime, verdict: Verdict, step: Step) -> tuple[Verdict, str]:
        """See to a one-time rule whose time has passed: it fires late, has fired, or never will."""
        if self.now - at <= plan.timing.catchup:
            return verdict, "caught_up" if await self.schedules.catch_up(plan, at) else step
        if await self.schedules.has_begun(plan.rule_id, at):
            return verdict, step
        return replace(verdict, status=RuleStatus.DONE, error=_MISSED.format(at=at), done_for=at), "missed"


def _is_news(rule: Rule, verdict: Verdict) -> bool:
    return (rule.status, rule.error) != (verdict.status, verdict.error)


async def _all(asked: Sequence[Awaitable[Answer]]) -> list[Answer]:
    """Wait for all; the first failure ends the others, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(_awaited(one)) for one in asked]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [one.result() for one in running]


async def _awaited(asked: Awaitable[Answer]) -> Answer:
    return await asked


def _told(did: Counter[str]) -> Reconciled:
    """Count what was done, and log it if it was anything."""
    reconciled = Reconciled(**did)
    for kind in metrics.RECONCILED_KINDS:
        metrics.RULES_RECONCILED.labels(kind).inc(did[kind])
    if any(did[kind] for kind in metrics.RECONCILED_KINDS):
        _log.info("rules reconciled", **+did)
    return reconciled
