"""What to do about a rule's schedule, decided from its row and the list."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.counted import counted
from xnovu_poller.lifecycle import RuleStatus, RuleTrigger
from xnovu_poller.rules.preview import find_next_firing
from xnovu_poller.store.engine import Unreadable
from xnovu_poller.store.rules import Rule
from xnovu_poller.temporal.rules.decisions import UNLISTED, Decision, Listed, Step, decide, refuse
from xnovu_poller.temporal.rules.plans import HALTED, ListedRule

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAILY = {"cron": "0 9 * * *"}

RULE = Rule(
    id=7,
    enterprise_id="acme",
    name="daily",
    workflow_id=1,
    trigger=RuleTrigger.CRON,
    config=DAILY,
    active=True,
    status=None,
    error=None,
    done_for=None,
    last_fired_at=None,
    last_outcome=None,
    updated_at=NOW,
)


def once(at: datetime, **more: Any) -> Rule:  # noqa: ANN401 - columns of any type
    """Return a one-time rule of this time."""
    return replace(RULE, trigger=RuleTrigger.SCHEDULE, config={"at": at.isoformat()}, **more)


def decide_now(rule: Rule, listed: Listed = None) -> Decision:
    """Decide about a rule at `NOW`."""
    return decide(rule, listed, task_queue="q", now=NOW)


def as_planned(rule: Rule) -> ListedRule:
    """Return the listed schedule of a rule that is up to date."""
    plan = decide_now(rule).plan
    assert plan is not None
    return ListedRule(plan.digest, plan.paused)


def summary(decision: Decision) -> tuple[Step, RuleStatus | None]:
    """Return the step and the status of a decision."""
    return decision.step, decision.state.status


def test_a_rule_without_schedule_gets_one() -> None:
    """After that nothing is left to do."""
    assert summary(decide_now(RULE)) == (Step.CREATE, RuleStatus.SCHEDULED)
    assert summary(decide_now(RULE, as_planned(RULE))) == (Step.LEAVE, RuleStatus.SCHEDULED)


@pytest.mark.parametrize(
    "changed",
    [
        replace(RULE, config={"cron": "0 10 * * *"}),
        replace(RULE, config={**DAILY, "timezone": "Asia/Shanghai"}),
        replace(RULE, config={**DAILY, "overlap": "ALLOW_ALL"}),
        replace(RULE, config={**DAILY, "catchup": "5m"}),
        replace(RULE, config={**DAILY, "jitter": "5s"}),
        replace(RULE, enterprise_id="globex"),
        once(NOW + timedelta(days=1)),
    ],
)
def test_a_change_of_the_plan_rebuilds_the_schedule(changed: Rule) -> None:
    """Times, overlap, catchup, jitter, enterprise and trigger are part of the plan."""
    assert decide_now(changed, as_planned(RULE)).step is Step.UPDATE


def test_a_change_of_the_notification_rebuilds_nothing() -> None:
    """The notification is made from the row when the rule fires."""
    renamed = replace(RULE, name="other", workflow_id=2, last_fired_at=NOW, status=RuleStatus.SCHEDULED)
    assert decide_now(renamed, as_planned(RULE)).step is Step.LEAVE


def test_another_task_queue_rebuilds_the_schedule() -> None:
    """No executor polls the old queue."""
    assert decide(RULE, as_planned(RULE), task_queue="other", now=NOW).step is Step.UPDATE


@pytest.mark.parametrize(
    "listed",
    [ListedRule(None, paused=False), ListedRule(HALTED, paused=True), ListedRule("0" * 16, paused=True)],
)
def test_a_schedule_of_another_plan_is_rebuilt(listed: ListedRule) -> None:
    """Its note may be a person's, that of an invalid rule, or that of an older plan."""
    assert decide_now(RULE, listed).step is Step.UPDATE


def test_a_schedule_that_a_person_has_paused_is_resumed() -> None:
    """The row decides."""
    assert decide_now(RULE, replace(as_planned(RULE), paused=True)).step is Step.UPDATE


def test_the_schedule_of_an_inactive_rule_is_paused() -> None:
    """If there is none, none is created."""
    inactive = replace(RULE, active=False)
    assert summary(decide_now(inactive)) == (Step.LEAVE, RuleStatus.PAUSED)
    assert summary(decide_now(inactive, as_planned(RULE))) == (Step.PAUSE, RuleStatus.PAUSED)
    assert summary(decide_now(inactive, as_planned(inactive))) == (Step.LEAVE, RuleStatus.PAUSED)
    assert summary(decide_now(RULE, as_planned(inactive))) == (Step.UPDATE, RuleStatus.SCHEDULED)


@pytest.mark.parametrize(
    "bad",
    [
        replace(RULE, config={}),
        replace(RULE, config=Unreadable()),
        replace(RULE, config={}, too_long=True),
        replace(RULE, trigger=RuleTrigger.EVENT),
    ],
)
def test_an_invalid_rule_has_an_error_and_its_schedule_is_halted(bad: Rule) -> None:
    """It is halted once; without a schedule there is nothing to halt."""
    assert summary(decide_now(bad)) == (Step.LEAVE, RuleStatus.INVALID)
    assert decide_now(bad).state.error
    assert summary(decide_now(bad, as_planned(RULE))) == (Step.HALT, RuleStatus.INVALID)
    assert summary(decide_now(bad, ListedRule(HALTED, paused=False))) == (Step.HALT, RuleStatus.INVALID)
    assert summary(decide_now(bad, ListedRule(HALTED, paused=True))) == (Step.LEAVE, RuleStatus.INVALID)


def test_a_one_time_rule_is_scheduled_until_it_is_done() -> None:
    """A firing for another time does not count."""
    ahead = once(NOW + timedelta(hours=1), done_for=NOW)
    assert summary(decide_now(ahead)) == (Step.CREATE, RuleStatus.SCHEDULED)
    assert decide_now(ahead).overdue_at is None

    done = replace(ahead, done_for=NOW + timedelta(hours=1))
    assert summary(decide_now(done)) == (Step.LEAVE, RuleStatus.DONE)
    assert summary(decide_now(done, as_planned(done))) == (Step.LEAVE, RuleStatus.DONE)


def test_an_overdue_one_time_rule_gets_no_schedule() -> None:
    """A schedule created after its time does not fire; an older one must not go on firing."""
    late = once(NOW - timedelta(seconds=5))
    assert decide_now(late).overdue_at == NOW - timedelta(seconds=5)
    assert summary(decide_now(late)) == (Step.LEAVE, RuleStatus.SCHEDULED)
    assert decide_now(late, as_planned(RULE)).step is Step.UPDATE
    assert decide_now(replace(late, active=False)).overdue_at is None


def test_the_error_of_a_rule_that_never_fired_stays() -> None:
    """It stays until the time of the rule changes."""
    at = NOW - timedelta(days=1)
    missed = once(at, done_for=at, status=RuleStatus.DONE, error="it did not fire")
    assert decide_now(missed).state.error == "it did not fire"

    off = decide_now(replace(missed, active=False)).state
    assert (off.status, off.error) == (RuleStatus.PAUSED, "it did not fire")
    on = decide_now(replace(missed, status=off.status, error=off.error)).state
    assert (on.status, on.error) == (RuleStatus.DONE, "it did not fire")
    assert decide_now(replace(missed, status=RuleStatus.INVALID)).state.error is None
    later = once(
        NOW + timedelta(days=1), done_for=at, status=RuleStatus.PAUSED, error="it did not fire", active=False
    )
    assert decide_now(later).state.error is None


def test_a_rule_that_has_just_changed_is_confirmed() -> None:
    """The list may be older than the last run, as when a rule is paused and resumed within a second."""
    recent = replace(RULE, recent=True)
    invalid = replace(RULE, config={}, recent=True)
    assert summary(decide_now(recent, as_planned(RULE))) == (Step.CONFIRM, RuleStatus.SCHEDULED)
    assert summary(decide_now(recent)) == (Step.CREATE, RuleStatus.SCHEDULED)
    assert summary(decide_now(invalid, ListedRule(HALTED, paused=True))) == (Step.CONFIRM, RuleStatus.INVALID)
    assert summary(decide_now(invalid)) == (Step.LEAVE, RuleStatus.INVALID)


def test_the_schedule_of_a_rule_that_is_not_served_is_halted() -> None:
    """Its times are not read."""
    refused = [refuse(RULE, listed, RuleStatus.FAILED, "too many") for listed in (None, as_planned(RULE))]
    assert [summary(decision) for decision in refused] == [
        (Step.LEAVE, RuleStatus.FAILED),
        (Step.HALT, RuleStatus.FAILED),
    ]


def test_a_rule_whose_end_has_passed_is_not_searched() -> None:
    """This is the most frequent way to be over."""
    searched = []
    for end, status in (("2026-05-01", RuleStatus.DONE), ("2026-07-01", RuleStatus.SCHEDULED)):
        rule = replace(RULE, config={**DAILY, "end_at": f"{end}T00:00:00Z"})
        with counted(find_next_firing) as searches:
            assert decide_now(rule).state.status is status
        searched.append(searches[0])
    assert searched == [0, 1]


@pytest.mark.parametrize(
    "over",
    [
        {"cron": "0 9 * * *", "end_at": "2026-05-01T00:00:00Z"},
        {"calendar": {"hour": 9, "year": 2025}},
    ],
)
def test_a_rule_whose_end_has_passed_is_done(over: dict[str, Any]) -> None:
    """Its schedule is not created again after Temporal has deleted it; a changed one must not go on firing."""
    rule = replace(RULE, config=over)
    assert summary(decide_now(rule)) == (Step.LEAVE, RuleStatus.DONE)
    assert summary(decide_now(rule, as_planned(rule))) == (Step.LEAVE, RuleStatus.DONE)
    assert summary(decide_now(rule, as_planned(RULE))) == (Step.UPDATE, RuleStatus.DONE)


def test_a_rule_that_ends_later_is_not_done() -> None:
    """It has a firing ahead."""
    rule = replace(RULE, config={**DAILY, "end_at": "2026-07-01T00:00:00Z"})
    assert summary(decide_now(rule)) == (Step.CREATE, RuleStatus.SCHEDULED)


def test_a_change_is_followed_without_a_list() -> None:
    """A rule that nobody has seen has no schedule; any other may have one, which is brought up to date or halted."""
    seen, off = replace(RULE, status=RuleStatus.SCHEDULED), replace(RULE, active=False)
    invalid = replace(RULE, config={})

    assert decide_now(RULE, UNLISTED).step is Step.FOLLOW
    assert decide_now(seen, UNLISTED).step is Step.FOLLOW
    assert decide_now(off, UNLISTED).step is Step.LEAVE
    assert decide_now(replace(off, status=RuleStatus.SCHEDULED), UNLISTED).step is Step.FOLLOW
    assert decide_now(invalid, UNLISTED).step is Step.LEAVE
    assert decide_now(replace(invalid, status=RuleStatus.SCHEDULED), UNLISTED).step is Step.HALT
    assert decide_now(seen, UNLISTED).needs_schedule
    assert not decide_now(replace(off, status=RuleStatus.SCHEDULED), UNLISTED).needs_schedule


def test_a_decision_holds_until_a_time_passes() -> None:
    """A rule without end is decided once; others until their next firing, or an hour before their only time."""
    until = NOW + timedelta(hours=21)
    assert decide_now(RULE).valid_until is None
    assert decide_now(replace(RULE, config={**DAILY, "end_at": "2026-07-01T00:00:00Z"})).valid_until == until
    assert decide_now(once(until)).valid_until == until - timedelta(hours=1)
    assert decide_now(once(NOW + timedelta(minutes=9))).valid_until == NOW + timedelta(minutes=9)
    assert decide_now(replace(once(until), active=False)).valid_until is None


def test_the_text_of_a_tenant_is_kept_apart() -> None:
    """The row has both; the log marks what the tenant wrote."""
    decision = decide_now(replace(RULE, config={**DAILY, "k" * 10_000: 1}))

    assert decision.tenant_wrote == f"'{'k' * 40}…'"
    assert decision.reason is not None
    assert "kkk" not in decision.reason
    assert decision.state.error == f"{decision.tenant_wrote}: {decision.reason}"
