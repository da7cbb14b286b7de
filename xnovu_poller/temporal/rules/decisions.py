"""Decide what to do about the schedule of a rule, from its row and what Temporal lists, and from nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import ReconcileOutcome, RuleStatus
from xnovu_poller.rules.density import find_change
from xnovu_poller.rules.preview import find_next_firing
from xnovu_poller.rules.timing import Timing, read_timing
from xnovu_poller.store.rules import Rule, RuleState
from xnovu_poller.temporal.rules.plans import HALTED, ListedRule, Plan


class Step(Enum):
    """What to do to a rule's schedule.

    LEAVE: nothing.
    CREATE: create it.
    UPDATE: rebuild it from the plan.
    PAUSE: rebuild it from the plan, paused.
    HALT: pause it as it is, because an invalid rule has no plan.
    CONFIRM: read it, and rebuild or halt it unless it is as listed: the list may be older than the last run's changes.
    FOLLOW: read it, as it was not listed; rebuild it unless it is as planned, and create it if the rule needs it.
    """

    LEAVE = auto()
    CREATE = auto()
    UPDATE = auto()
    PAUSE = auto()
    HALT = auto()
    CONFIRM = auto()
    FOLLOW = auto()


_OUTCOMES: Mapping[Step, ReconcileOutcome] = MappingProxyType(
    {
        Step.LEAVE: ReconcileOutcome.UNCHANGED,
        Step.CREATE: ReconcileOutcome.CREATED,
        Step.UPDATE: ReconcileOutcome.UPDATED,
        Step.PAUSE: ReconcileOutcome.PAUSED,
        Step.HALT: ReconcileOutcome.PAUSED,
        Step.CONFIRM: ReconcileOutcome.UNCHANGED,
        Step.FOLLOW: ReconcileOutcome.UNCHANGED,
    }
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about a rule.

    Attributes:
        step: for its schedule.
        plan: of its schedule; None if the rule is invalid.
        state: of the rule once the step is done.
        overdue_at: the time of a one-time rule if it has passed and the row does not record that it fired.
        needs_schedule: its schedule must exist; otherwise an existing schedule is only kept up to date.
        valid_until: at this time the decision may become another, though the row does not change; None: at none.
        tenant_wrote: the part of an invalid rule that is wrong; it may quote its author, cut and in quotation marks.
        reason: why it is invalid or not served, in our words only.
    """

    step: Step
    plan: Plan | None
    state: RuleState
    overdue_at: datetime | None = None
    needs_schedule: bool = False
    valid_until: datetime | None = None
    tenant_wrote: str | None = None
    reason: str | None = None

    @property
    def is_settled(self) -> bool:
        """Whether no call to Temporal is needed."""
        return self.step is Step.LEAVE and self.overdue_at is None

    @property
    def outcome(self) -> ReconcileOutcome:
        """What the reconciliation reports once the step is done."""
        if self.step is not Step.HALT and self.state.status is RuleStatus.FAILED:
            return ReconcileOutcome.FAILED
        return _OUTCOMES[self.step]


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Stands for the schedule of a rule while nobody has listed the schedules: it may exist or not."""


UNLISTED = Unlisted()

Listed = ListedRule | Unlisted | None


def decide(rule: Rule, listed: Listed, *, task_queue: str, now: datetime) -> Decision:
    """Decide about a rule.

    Args:
        rule: its row.
        listed: its schedule; None if it has none.
        task_queue: where our executors poll.
        now: by Temporal's clock, which fires the rule.
    """
    if rule.config_fault is not None:
        return refuse(rule, listed, RuleStatus.INVALID, rule.config_fault, "trigger_config")
    try:
        timing = read_timing(rule.trigger, rule.config)
    except RuleInvalid as error:
        return refuse(rule, listed, RuleStatus.INVALID, error.reason, error.path)
    plan = Plan(rule.id, rule.enterprise_id, timing, paused=not rule.active, task_queue=task_queue)
    overdue_at = timing.at if timing.at is not None and timing.at <= now else None
    is_done = timing.at is not None and rule.done_for == timing.at
    # Keep the error that was recorded when the rule was found not to have fired.
    kept_error = rule.error if is_done and rule.status in {RuleStatus.DONE, RuleStatus.PAUSED} else None
    if not rule.active:
        state = RuleState(rule.id, RuleStatus.PAUSED, kept_error)
    elif is_done:
        state = RuleState(rule.id, RuleStatus.DONE, kept_error)
    elif (firing_until := _find_end(timing, now)) is not None and firing_until <= now:
        state = RuleState(rule.id, RuleStatus.DONE)
    else:
        state = RuleState(rule.id, RuleStatus.SCHEDULED)
        needed = overdue_at is None
        step = _choose_step(rule, plan, listed, needs_schedule=needed)
        valid_until = firing_until if timing.at is None else find_change(timing.at, now)
        return Decision(step, plan, state, overdue_at, needed, valid_until)
    return Decision(_choose_step(rule, plan, listed, needs_schedule=False), plan, state)


def refuse(
    rule: Rule, listed: Listed, status: RuleStatus, reason: str, tenant_wrote: str | None = None
) -> Decision:
    """Decide that a rule is not served: halt its schedule, if it has one.

    Args:
        rule: its row.
        listed: its schedule; None if it has none.
        status: INVALID or FAILED.
        reason: for the writer of the rule.
        tenant_wrote: the part of the rule that is wrong.
    """
    if listed is None or (isinstance(listed, Unlisted) and rule.status is None):
        step = Step.LEAVE
    elif listed == ListedRule(HALTED, paused=True):
        step = Step.CONFIRM if rule.recent else Step.LEAVE
    else:
        step = Step.HALT
    error = reason if tenant_wrote is None else f"{tenant_wrote}: {reason}"
    return Decision(step, None, RuleState(rule.id, status, error), tenant_wrote=tenant_wrote, reason=reason)


def _choose_step(rule: Rule, plan: Plan, listed: Listed, *, needs_schedule: bool) -> Step:
    """Compare the plan with the list; a schedule with no more firings is not created, as Temporal would delete it."""
    if isinstance(listed, Unlisted):
        # A rule that no reconciliation has seen has no schedule.
        return Step.FOLLOW if needs_schedule or rule.status is not None else Step.LEAVE
    if listed is None:
        return Step.CREATE if needs_schedule else Step.LEAVE
    if listed == ListedRule(plan.digest, plan.paused):
        return Step.CONFIRM if rule.recent else Step.LEAVE
    return Step.PAUSE if plan.paused and not listed.paused else Step.UPDATE


def _find_end(timing: Timing, now: datetime) -> datetime | None:
    """Return until when a repeated rule certainly has a firing ahead, or `now` if it has none; None if it has no end."""
    if timing.at is not None:
        return None
    if timing.end_at is not None and timing.end_at < now:
        return now
    has_end = timing.end_at is not None or (
        not timing.intervals and all(calendar.year for calendar in timing.calendars)
    )
    return (find_next_firing(timing, now) or now) if has_end else None
