"""What is to be done about the schedule of a rule: decided of its row and of what Temporal lists, and of nothing else."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleStatus
from xnovu_poller.rules.preview import find_next_firing
from xnovu_poller.rules.timing import Timing, read_timing
from xnovu_poller.store.engine import Unreadable
from xnovu_poller.store.rules import Rule, RuleState
from xnovu_poller.temporal.rules.plans import HALTED, Listed, Plan


class Step(StrEnum):
    """What is done to a rule's schedule.

    LEAVE: nothing.
    CREATE: it is made.
    UPDATE: it is rebuilt whole.
    PAUSE: it is rebuilt whole, and stands still now.
    HALT: it is paused as it stands, for an invalid rule has no plan.
    CONFIRM: it is rebuilt, or halted, unless it is found as it is listed, for the list lags behind what the last run did.
    """

    LEAVE = "unchanged"
    CREATE = "created"
    UPDATE = "updated"
    PAUSE = "paused"
    HALT = "halted"
    CONFIRM = "confirmed"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about a rule.

    Attributes:
        step: done to its schedule.
        plan: for its schedule; None of an invalid rule.
        verdict: what is true of the rule once that is done.
        passed: the only time of a one-time rule, if it has passed and the row does not say that it fired.
    """

    step: Step
    plan: Plan | None
    verdict: RuleState
    passed: datetime | None = None

    @property
    def settled(self) -> bool:
        """There is nothing to ask Temporal for."""
        return self.step is Step.LEAVE and self.passed is None


def decide(rule: Rule, listed: Listed | None, *, task_queue: str, now: datetime) -> Decision:
    """Decide about a rule.

    Args:
        rule: its row.
        listed: its schedule, if it has one.
        task_queue: where executors listen.
        now: the time, by Temporal's clock, by which it fires.
    """
    if isinstance(rule.config, Unreadable):
        reason = "trigger_config: is nested too deep, or holds too long a number"
        return refuse(rule, listed, RuleStatus.INVALID, reason)
    try:
        when = read_timing(rule.trigger, rule.config)
    except RuleInvalid as error:
        return refuse(rule, listed, RuleStatus.INVALID, f"{error.path}: {error.reason}")
    plan = Plan(rule.id, rule.enterprise_id, when, paused=not rule.active, task_queue=task_queue)
    passed = when.at if when.at is not None and when.at <= now else None
    done = when.at is not None and rule.done_for == when.at
    # That it never fired was said when it was seen.
    said = rule.error if done and rule.status in {RuleStatus.DONE, RuleStatus.PAUSED} else None
    if not rule.active:
        verdict = RuleState(rule.id, RuleStatus.PAUSED, said)
    elif done:
        verdict = RuleState(rule.id, RuleStatus.DONE, said)
    elif _is_over(when, now):
        verdict = RuleState(rule.id, RuleStatus.DONE)
    else:
        verdict = RuleState(rule.id, RuleStatus.SCHEDULED)
        return Decision(_step(rule, plan, listed, needed=passed is None), plan, verdict, passed)
    return Decision(_step(rule, plan, listed, needed=False), plan, verdict)


def refuse(rule: Rule, listed: Listed | None, status: RuleStatus, reason: str) -> Decision:
    """Let the schedule of a rule stand still, if it has one.

    Args:
        rule: its row.
        listed: its schedule, if it has one.
        status: INVALID or FAILED.
        reason: what its writer should know.
    """
    if listed is None:
        step = Step.LEAVE
    elif listed == Listed(HALTED, paused=True):
        step = Step.CONFIRM if rule.recent else Step.LEAVE
    else:
        step = Step.HALT
    return Decision(step, None, RuleState(rule.id, status, reason))


def _step(rule: Rule, plan: Plan, listed: Listed | None, *, needed: bool) -> Step:
    """Compare; what has nothing to do is not made, for Temporal would only delete it again."""
    if listed is None:
        return Step.CREATE if needed else Step.LEAVE
    if listed == Listed(plan.digest, plan.paused):
        return Step.CONFIRM if rule.recent else Step.LEAVE
    return Step.PAUSE if plan.paused and not listed.paused else Step.UPDATE


def _is_over(when: Timing, now: datetime) -> bool:
    """Say whether a repeated rule has no time ahead."""
    if when.end_at is not None and when.end_at < now:
        return when.at is None
    ends = when.end_at is not None or (not when.intervals and all(one.year for one in when.calendars))
    return when.at is None and ends and find_next_firing(when, now) is None
