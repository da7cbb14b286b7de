"""The reconciliation: what Temporal lists is compared with the rules' rows, and follows them."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio.client import WorkflowExecutionStatus

from xnovu_poller import log, metrics
from xnovu_poller.errors import ScheduleRefused, TemporalUnavailable
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.store import rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import Rule, RuleState
from xnovu_poller.temporal.rules.decisions import Decision, Step, decide, refuse
from xnovu_poller.temporal.rules.plans import Listed, Plan
from xnovu_poller.temporal.rules.schedules import RuleSchedules

_log = log.get(__name__)

AT_ONCE = 20
"""Calls to Temporal under way; more are no faster."""

BATCH = 200
"""Rules that are read, and whose verdicts are written, together."""

MOST_RULES = 10_000
"""Of one enterprise: who writes more would keep all the others waiting."""

MOST_UNANSWERED = 5
"""Calls without an answer, one after the other; then it is not one schedule, but Temporal that is away."""

_TOO_MANY = f"its enterprise has more than {MOST_RULES} rules that are not done; the first are served, delete what is not needed"
_MISSED = "{at:%Y-%m-%dT%H:%M:%SZ} had passed when it was first seen; it did not fire"
_ENDED = "{at:%Y-%m-%dT%H:%M:%SZ}: its workflow was ended before it fired"

_KINDS = {Step.CONFIRM: "unchanged", Step.HALT: "paused"}
"""Under which names these are counted; the others have their own."""

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


async def reconcile(engine: Engine, schedules: RuleSchedules, now: datetime) -> Reconciled:
    """Let the schedules follow the rules, and tell each rule what became of it.

    RuleSchedules are listed before the ids are read, and these before the rules: a rule that comes in between is made,
    or left to the next run, and none is deleted that was not listed. If the process dies here, the
    next one finds the rest.

    Args:
        engine: where the rules are.
        schedules: those of this deployment.
        now: the time, by Temporal's clock, as this begins.

    Raises:
        StoreUnavailable: PostgreSQL does not answer; what was done stands.
        TemporalUnavailable: no answer, for all or for some of them; the same.
        TemporalRefused: Temporal serves none of it.
    """
    # Thousands of rules take minutes, within which times pass.
    counted_from = now - timedelta(seconds=time.monotonic())
    listed = await schedules.listed()
    run = _Run(schedules, listed, counted_from)
    orphans = sorted(listed.keys() - await rules.ids(engine))
    deleted = await _all([run.delete(rule_id) for rule_id in orphans])
    did = Counter({"deleted": sum(deleted)})
    after = None
    while batch := await rules.page(engine, after, BATCH):
        after = batch[-1].id
        # Reading what tenants have written is our own work, which would keep everything else waiting.
        decisions = await asyncio.to_thread(run.decided, batch)
        ends = await _all([run.follow(*one) for one in zip(batch, decisions, strict=True)])
        if news := [verdict for verdict, _ in ends if verdict is not None]:
            await rules.record_states(engine, news)
        did.update(kind for _, kind in ends if kind is not None)
    reconciled = _told(did)
    if run.unanswered:
        raise run.unanswered[-1]
    return reconciled


@dataclass(slots=True)
class _Run:
    """One reconciliation under way."""

    schedules: RuleSchedules
    listed: dict[int, Listed]
    counted_from: datetime
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    seen: Counter[str] = field(default_factory=Counter)
    unanswered: list[TemporalUnavailable] = field(default_factory=list)
    in_a_row: int = 0

    @property
    def now(self) -> datetime:
        """The time by Temporal's clock, counted on by ours."""
        return self.counted_from + timedelta(seconds=time.monotonic())

    def decided(self, batch: Sequence[Rule]) -> list[Decision]:
        """Decide about rules."""
        return [self._decided(rule) for rule in batch]

    async def follow(self, rule: Rule, decision: Decision) -> tuple[RuleState | None, str | None]:
        """See to the schedule of a rule.

        Returns:
            What is true of the rule now, if it is news, and the kind of what was done; nothing without an answer.
        """
        try:
            if decision.settled:
                verdict, kind = decision.verdict, _kind(decision)
            elif (end := await self._answered(lambda: self._carried_out(rule, decision))) is not None:
                verdict, kind = end
            else:
                return None, None
        except ScheduleRefused as error:
            verdict, kind = RuleState(rule.id, RuleStatus.FAILED, str(error)), "failed"
        if not _is_news(rule, verdict):
            return None, kind
        if verdict.error is not None:
            _log.warning("rule not scheduled", rule_id=rule.id, status=verdict.status, reason=verdict.error)
        return verdict, "invalid" if verdict.status is RuleStatus.INVALID else kind

    async def delete(self, rule_id: int) -> bool:
        """Delete the schedule of a rule that is gone; False without an answer, or where Temporal will not."""

        async def deleted() -> bool:
            try:
                await self.schedules.delete(rule_id)
            except ScheduleRefused as error:
                _log.warning("schedule not deleted", rule_id=rule_id, reason=str(error))
                return False
            return True

        return await self._answered(deleted) or False

    async def _answered(self, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Ask Temporal; None without an answer.

        Raises:
            TemporalUnavailable: several in a row had none.
        """
        async with self.places:
            if self.in_a_row >= MOST_UNANSWERED:
                raise self.unanswered[-1]
            try:
                answer = await ask()
            except TemporalUnavailable as error:
                self.unanswered.append(error)
                self.in_a_row += 1
                return None
            self.in_a_row = 0
            return answer

    def _decided(self, rule: Rule) -> Decision:
        listed = self.listed.get(rule.id)
        # What is done waits for nothing, and keeps no new rule out.
        if rule.status is not RuleStatus.DONE:
            self.seen[rule.enterprise_id] += 1
            if self.seen[rule.enterprise_id] > MOST_RULES:
                return refuse(rule, listed, RuleStatus.FAILED, _TOO_MANY)
        try:
            return decide(rule, listed, task_queue=self.schedules.task_queue, now=self.now)
        except Exception as error:  # noqa: BLE001 - whatever a tenant has written stops no other's rules
            name = type(error).__name__
            _log.error("rule not understood", rule_id=rule.id, bug=name, at=log.trace(error))
            return Decision(Step.LEAVE, None, RuleState(rule.id, RuleStatus.FAILED, f"a bug: {name}"))

    async def _carried_out(self, rule: Rule, decision: Decision) -> tuple[RuleState, str]:
        plan = decision.plan
        if plan is None:
            await self.schedules.halt(rule.id)
        elif decision.step is not Step.LEAVE:
            await self.schedules.apply(plan, exists=rule.id in self.listed)
        if plan is None or decision.passed is None:
            return decision.verdict, _kind(decision)
        return await self._late(plan, decision.passed, decision.verdict, _kind(decision))

    async def _late(self, plan: Plan, at: datetime, verdict: RuleState, kind: str) -> tuple[RuleState, str]:
        """See to a one-time rule whose time has passed: it fires late, has fired, or never will."""
        if self.now - at <= plan.timing.catchup and await self.schedules.catch_up(plan, at):
            return verdict, "caught_up"
        status = await self.schedules.begun(plan.rule_id, at)
        if status is WorkflowExecutionStatus.RUNNING:
            return verdict, kind
        done = replace(verdict, status=RuleStatus.DONE, done_for=at)
        if status is WorkflowExecutionStatus.COMPLETED:
            return done, kind
        return replace(done, error=(_MISSED if status is None else _ENDED).format(at=at)), "missed"


def _kind(decision: Decision) -> str:
    """Name what was done, for the counts."""
    if decision.step is not Step.HALT and decision.verdict.status is RuleStatus.FAILED:
        return "failed"
    return _KINDS.get(decision.step, decision.step)


def _is_news(rule: Rule, verdict: RuleState) -> bool:
    return (rule.status, rule.error, verdict.done_for or rule.done_for) != (
        verdict.status,
        verdict.error,
        rule.done_for,
    )


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
