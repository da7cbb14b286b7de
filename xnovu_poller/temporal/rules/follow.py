"""Make the schedule of one rule follow its row; a schedule or a tenant at fault delays no other rule."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio.client import WorkflowExecutionStatus

from xnovu_poller import log
from xnovu_poller.errors import ScheduleRefused, TemporalUnavailable
from xnovu_poller.lifecycle import ReconcileOutcome, RuleStatus
from xnovu_poller.rules.density import count_hourly
from xnovu_poller.store.comparison import Allowance
from xnovu_poller.store.rules import Rule, RuleState
from xnovu_poller.temporal.rules.decisions import UNLISTED, Decision, Listed, Step, decide, refuse
from xnovu_poller.temporal.rules.plans import ListedRule, Plan
from xnovu_poller.temporal.rules.schedules import RuleSchedules

_log = log.get(__name__)

AT_ONCE = 20
"""Concurrent calls to Temporal; more are no faster."""

MOST_RULES = 10_000
"""Of one enterprise; with more, it would delay the rules of all the others."""

MOST_UNANSWERED = 5
"""After this many calls in a row without an answer, Temporal itself is away, not one schedule."""

_TOO_MANY = (
    f"its enterprise has more than {MOST_RULES} rules that are not done; only the first are served, so delete rules"
    " that you do not need"
)
_TOO_OFTEN = (
    "with it, the rules of its enterprise would fire more than {firings} times a minute; let rules fire less often, pause"
    " some, or ask for a higher limit (ent_enterprise_limit.firings)"
)
_MISSED = "{at:%Y-%m-%dT%H:%M:%SZ} had passed before the rule was first seen, so it did not fire"
_ENDED = "{at:%Y-%m-%dT%H:%M:%SZ}: its run was ended before it fired"

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Followed:
    """What was done about a rule.

    Attributes:
        outcome: for the report.
        news: the rule's state, if its row does not have it yet, or its schedule follows a new version of the row.
    """

    outcome: ReconcileOutcome
    news: RuleState | None = None


@dataclass(slots=True)
class Follower:
    """Makes schedules follow their rules, in one run.

    Attributes:
        allowances: what the rules of each enterprise may still do.
        clock_zero: the time by Temporal's clock at which our monotonic clock was 0.
        slots: limits the concurrent calls.
        unanswered: the errors of calls without an answer.
        in_a_row: calls without an answer since the last answer.
        counting: held while firings are counted, because rules are decided in several threads.
    """

    schedules: RuleSchedules
    allowances: dict[str, Allowance]
    clock_zero: datetime
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    unanswered: list[TemporalUnavailable] = field(default_factory=list)
    in_a_row: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def now(self) -> datetime:
        """The time by Temporal's clock."""
        return self.clock_zero + timedelta(seconds=time.monotonic())

    def serves(self, enterprise_id: str, rule_id: int) -> bool:
        """Return whether a rule is among the rules of its enterprise that are served."""
        allowance = self.allowances.get(enterprise_id)
        return allowance is None or allowance.last_id is None or rule_id <= allowance.last_id

    def is_over(self, enterprise_id: str) -> bool:
        """Return whether the scheduled rules of an enterprise fire more often than they may."""
        allowance = self.allowances.get(enterprise_id)
        return allowance is not None and allowance.hourly_left < 0

    def decide(self, batch: Sequence[Rule], listed: Mapping[int, ListedRule] | None) -> list[Decision]:
        """Decide about rules; `listed` has all schedules, or is None if nobody has listed them."""
        return [self._decide(rule, UNLISTED if listed is None else listed.get(rule.id)) for rule in batch]

    async def follow(self, rule: Rule, decision: Decision) -> Followed | None:
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
        recorded = replace(state, followed_at=rule.updated_at)
        if not _is_news(rule, state):
            return Followed(outcome, None if rule.is_followed else recorded)
        if state.error is not None:
            reason = decision.reason or state.error
            _log.warning(
                "rule not scheduled",
                rule_id=rule.id,
                status=state.status,
                reason=reason,
                tenant_wrote=decision.tenant_wrote,
            )
        return Followed(ReconcileOutcome.INVALID if state.status is RuleStatus.INVALID else outcome, recorded)

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

    def _decide(self, rule: Rule, listed: Listed) -> Decision:
        # Rules that are done do not count, so that they keep no new rule out.
        if rule.status is not RuleStatus.DONE and not self.serves(rule.enterprise_id, rule.id):
            return refuse(rule, listed, RuleStatus.FAILED, _TOO_MANY)
        try:
            decision = decide(rule, listed, task_queue=self.schedules.task_queue, now=self.now)
            return self._admit(rule, listed, decision)
        except Exception as error:  # noqa: BLE001 - a bug in one rule must not stop the rules of others
            log.bug(_log, "rule not understood", error, rule_id=rule.id)
            state = RuleState(rule.id, RuleStatus.FAILED, f"a bug: {type(error).__name__}")
            return Decision(Step.LEAVE, None, state)

    def _admit(self, rule: Rule, listed: Listed, decision: Decision) -> Decision:
        """Count the firings of a rule, or refuse it if its enterprise may have no more of them."""
        is_scheduled = decision.state.status is RuleStatus.SCHEDULED
        hourly = count_hourly(decision.plan.timing, self.now) if decision.plan and is_scheduled else None
        with self.counting:
            allowance = self.allowances.setdefault(rule.enterprise_id, Allowance())
            # A done rule is not in the sum.
            allowance.hourly_left += 0 if rule.status is RuleStatus.DONE else rule.hourly_firings or 0
            if hourly is not None and hourly > allowance.hourly_left:
                reason = _TOO_OFTEN.format(firings=allowance.firings)
                return refuse(rule, listed, RuleStatus.FAILED, reason)
            allowance.hourly_left -= hourly or 0
        return replace(decision, state=replace(decision.state, hourly_firings=hourly))

    async def _carry_out(self, rule: Rule, decision: Decision) -> tuple[ReconcileOutcome, RuleState]:
        plan, outcome = decision.plan, decision.outcome
        if plan is None:
            await self.schedules.halt(rule.id)
        elif decision.step is not Step.LEAVE:
            outcome = await self.schedules.apply(
                plan,
                exists=decision.step is not Step.CREATE
                and (decision.step is not Step.FOLLOW or rule.status is not None),
                needed=decision.needs_schedule,
            )
        if plan is None or decision.overdue_at is None:
            return outcome, decision.state
        return await self._handle_overdue(plan, decision.overdue_at, decision.state, outcome)

    async def _handle_overdue(
        self, plan: Plan, at: datetime, state: RuleState, outcome: ReconcileOutcome
    ) -> tuple[ReconcileOutcome, RuleState]:
        """Fire a one-time rule late, or find out whether it has fired."""
        if self.now - at <= plan.timing.catchup and await self.schedules.catch_up(plan, at):
            return ReconcileOutcome.CAUGHT_UP, state
        status = await self.schedules.read_run_status(plan.rule_id, at)
        if status is WorkflowExecutionStatus.RUNNING:
            return outcome, state
        done = replace(state, status=RuleStatus.DONE, done_for=at)
        if status is WorkflowExecutionStatus.COMPLETED:
            return outcome, done
        error = (_MISSED if status is None else _ENDED).format(at=at)
        return ReconcileOutcome.MISSED, replace(done, error=error)


def _is_news(rule: Rule, state: RuleState) -> bool:
    return (rule.status, rule.error, state.done_for or rule.done_for, rule.hourly_firings) != (
        state.status,
        state.error,
        rule.done_for,
        state.hourly_firings,
    )
