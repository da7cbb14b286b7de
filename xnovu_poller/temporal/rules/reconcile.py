"""The reconciliation: it compares the schedules in Temporal with the rules' rows and makes them follow the rows."""

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
from xnovu_poller.lifecycle import ReconcileOutcome, RuleStatus
from xnovu_poller.store import rules
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.rules import Rule, RuleState
from xnovu_poller.temporal.rules.decisions import Decision, Step, decide, refuse
from xnovu_poller.temporal.rules.plans import ListedRule, Plan
from xnovu_poller.temporal.rules.schedules import RuleSchedules

_log = log.get(__name__)

AT_ONCE = 20
"""Concurrent calls to Temporal; more are no faster."""

BATCH = 200
"""Rules that are read together, and whose states are written together."""

MOST_RULES = 10_000
"""Of one enterprise; with more, it would delay the rules of all the others."""

MOST_UNANSWERED = 5
"""After this many calls in a row without an answer, Temporal itself is away, not one schedule."""

_TOO_MANY = (
    f"its enterprise has more than {MOST_RULES} rules that are not done; only the first are served, so delete rules"
    " that you do not need"
)
_MISSED = "{at:%Y-%m-%dT%H:%M:%SZ} had passed before the rule was first seen, so it did not fire"
_ENDED = "{at:%Y-%m-%dT%H:%M:%SZ}: its run was ended before it fired"

Report = dict[ReconcileOutcome, int]
"""The number of rules by outcome; each outcome is a key."""

Answer = TypeVar("Answer")


async def reconcile(engine: Engine, schedules: RuleSchedules, now: datetime) -> Report:
    """Make the schedules follow the rules, and record the state of each rule in its row.

    The schedules are listed before the ids are read, and the ids before the rules. So a rule that is inserted in
    between is created now or by the next run, and no schedule is deleted that was not listed. If the process dies here,
    the next run completes the work.

    Args:
        engine: the pool.
        schedules: of this deployment.
        now: by Temporal's clock, at the start.

    Raises:
        StoreUnavailable: PostgreSQL does not answer; its changes until then stay.
        TemporalUnavailable: Temporal did not answer for all rules or for some; the others are done.
        TemporalRefused: Temporal refuses all calls.
    """
    # A run over thousands of rules takes minutes, so its clock must go on.
    clock_zero = now - timedelta(seconds=time.monotonic())
    listed = await schedules.list()
    run = _Run(schedules, listed, clock_zero)
    orphans = sorted(listed.keys() - await rules.read_ids(engine))
    deleted = await _gather([run.delete(rule_id) for rule_id in orphans])
    counts = Counter({ReconcileOutcome.DELETED: sum(deleted)})
    after = None
    while batch := await rules.read_page(engine, after, BATCH):
        after = batch[-1].id
        # Reading tenants' configs is CPU work, which would block the event loop.
        decisions = await asyncio.to_thread(run.decide, batch)
        followed = await _gather(
            [run.follow(rule, decision) for rule, decision in zip(batch, decisions, strict=True)]
        )
        done = [each for each in followed if each is not None]
        if news := [each.news for each in done if each.news is not None]:
            await rules.record_states(engine, news)
        counts.update(each.outcome for each in done)
    report = _report(counts)
    if run.unanswered:
        raise run.unanswered[-1]
    return report


@dataclass(frozen=True, slots=True)
class _Followed:
    """What was done about a rule.

    Attributes:
        outcome: for the report.
        news: the rule's state, if its row does not have it yet.
    """

    outcome: ReconcileOutcome
    news: RuleState | None = None


@dataclass(slots=True)
class _Run:
    """One reconciliation.

    Attributes:
        listed: the schedules by rule, as they were at the start.
        clock_zero: the time by Temporal's clock at which our monotonic clock was 0.
        slots: limits the concurrent calls.
        seen: rules so far by enterprise.
        unanswered: the errors of calls without an answer.
        in_a_row: calls without an answer since the last answer.
    """

    schedules: RuleSchedules
    listed: dict[int, ListedRule]
    clock_zero: datetime
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    seen: Counter[str] = field(default_factory=Counter)
    unanswered: list[TemporalUnavailable] = field(default_factory=list)
    in_a_row: int = 0

    @property
    def now(self) -> datetime:
        """The time by Temporal's clock."""
        return self.clock_zero + timedelta(seconds=time.monotonic())

    def decide(self, batch: Sequence[Rule]) -> list[Decision]:
        """Decide about rules, in the order of their ids."""
        return [self._decide(rule) for rule in batch]

    async def follow(self, rule: Rule, decision: Decision) -> _Followed | None:
        """Carry out a decision; return None if Temporal did not answer, as then nothing is known of the rule."""
        try:
            if decision.is_settled:
                outcome, state = decision.outcome, decision.state
            else:
                result = await self._ask(lambda: self._carry_out(rule, decision))
                if result is None:
                    return None
                outcome, state = result
        except ScheduleRefused as error:
            outcome, state = ReconcileOutcome.FAILED, RuleState(rule.id, RuleStatus.FAILED, str(error))
        if not _is_news(rule, state):
            return _Followed(outcome)
        if state.error is not None:
            _log.warning("rule not scheduled", rule_id=rule.id, status=state.status, reason=state.error)
        return _Followed(ReconcileOutcome.INVALID if state.status is RuleStatus.INVALID else outcome, state)

    async def delete(self, rule_id: int) -> bool:
        """Delete the schedule of a rule that is gone; return whether Temporal did it."""

        async def delete() -> bool:
            try:
                await self.schedules.delete(rule_id)
            except ScheduleRefused as error:
                _log.warning("schedule not deleted", rule_id=rule_id, reason=str(error))
                return False
            return True

        return await self._ask(delete) or False

    async def _ask(self, call: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Call Temporal; return None if it does not answer, so that a silent schedule does not stop the others.

        Raises:
            TemporalUnavailable: several calls in a row had no answer.
        """
        async with self.slots:
            if self.in_a_row >= MOST_UNANSWERED:
                raise self.unanswered[-1]
            try:
                answer = await call()
            except TemporalUnavailable as error:
                self.unanswered.append(error)
                self.in_a_row += 1
                return None
            self.in_a_row = 0
            return answer

    def _decide(self, rule: Rule) -> Decision:
        listed = self.listed.get(rule.id)
        # Rules that are done do not count, so that they keep no new rule out.
        if rule.status is not RuleStatus.DONE:
            self.seen[rule.enterprise_id] += 1
            if self.seen[rule.enterprise_id] > MOST_RULES:
                return refuse(rule, listed, RuleStatus.FAILED, _TOO_MANY)
        try:
            return decide(rule, listed, task_queue=self.schedules.task_queue, now=self.now)
        except Exception as error:  # noqa: BLE001 - a bug in one rule must not stop the rules of others
            log.bug(_log, "rule not understood", error, rule_id=rule.id)
            state = RuleState(rule.id, RuleStatus.FAILED, f"a bug: {type(error).__name__}")
            return Decision(Step.LEAVE, None, state)

    async def _carry_out(self, rule: Rule, decision: Decision) -> tuple[ReconcileOutcome, RuleState]:
        plan = decision.plan
        if plan is None:
            await self.schedules.halt(rule.id)
        elif decision.step is not Step.LEAVE:
            await self.schedules.apply(plan, exists=rule.id in self.listed)
        if plan is None or decision.overdue_at is None:
            return decision.outcome, decision.state
        return await self._handle_overdue(plan, decision.overdue_at, decision)

    async def _handle_overdue(
        self, plan: Plan, at: datetime, decision: Decision
    ) -> tuple[ReconcileOutcome, RuleState]:
        """Fire a one-time rule late, or find out whether it has fired."""
        if self.now - at <= plan.timing.catchup and await self.schedules.catch_up(plan, at):
            return ReconcileOutcome.CAUGHT_UP, decision.state
        status = await self.schedules.read_run_status(plan.rule_id, at)
        if status is WorkflowExecutionStatus.RUNNING:
            return decision.outcome, decision.state
        done = replace(decision.state, status=RuleStatus.DONE, done_for=at)
        if status is WorkflowExecutionStatus.COMPLETED:
            return decision.outcome, done
        error = (_MISSED if status is None else _ENDED).format(at=at)
        return ReconcileOutcome.MISSED, replace(done, error=error)


def _is_news(rule: Rule, state: RuleState) -> bool:
    return (rule.status, rule.error, state.done_for or rule.done_for) != (
        state.status,
        state.error,
        rule.done_for,
    )


async def _gather(calls: Sequence[Awaitable[Answer]]) -> list[Answer]:
    """Wait for all calls; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(_wait(call)) for call in calls]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in running]


async def _wait(call: Awaitable[Answer]) -> Answer:
    return await call


def _report(counts: Counter[ReconcileOutcome]) -> Report:
    """Count the outcomes in the metrics, and log them if anything was done."""
    for kind in metrics.RECONCILED_KINDS:
        metrics.RULES_RECONCILED.labels(kind).inc(counts[kind])
    if any(counts[kind] for kind in metrics.RECONCILED_KINDS):
        _log.info("rules reconciled", **{kind.value: count for kind, count in counts.items() if count})
    return {outcome: counts[outcome] for outcome in ReconcileOutcome}
