"""What is to be done about a rule's schedule, decided of its row and of what is listed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.counted import counted
from xnovu_poller.lifecycle import RuleStatus, RuleTrigger
from xnovu_poller.rules.preview import find_next_firing
from xnovu_poller.store.engine import Unreadable
from xnovu_poller.store.rules import Rule
from xnovu_poller.temporal.rules.decisions import Decision, Step, decide, refuse
from xnovu_poller.temporal.rules.plans import HALTED, Listed

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
)


def once(at: datetime, **more: Any) -> Rule:  # noqa: ANN401 - columns
    """Give a rule whose only time this is."""
    return replace(RULE, trigger=RuleTrigger.SCHEDULE, config={"at": at.isoformat()}, **more)


def decided(rule: Rule, listed: Listed | None = None) -> Decision:
    """Decide now."""
    return decide(rule, listed, task_queue="q", now=NOW)


def as_planned(rule: Rule) -> Listed:
    """Give a schedule that follows a rule."""
    plan = decided(rule).plan
    assert plan is not None
    return Listed(plan.digest, plan.paused)


def told(decision: Decision) -> tuple[Step, RuleStatus]:
    """Give what is done, and what is true then."""
    return decision.step, decision.verdict.status


def test_a_rule_without_schedule_gets_one() -> None:
    """And is left alone from then on."""
    assert told(decided(RULE)) == (Step.CREATE, RuleStatus.SCHEDULED)
    assert told(decided(RULE, as_planned(RULE))) == (Step.LEAVE, RuleStatus.SCHEDULED)


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
def test_whatever_matters_rebuilds_the_schedule(changed: Rule) -> None:
    """Each change of what the schedule is made of; a name or a payload is none."""
    assert decided(changed, as_planned(RULE)).step is Step.UPDATE


def test_what_fires_and_what_was_fired_rebuilds_nothing() -> None:
    """The notification is made from the row as it is by then."""
    renamed = replace(RULE, name="other", workflow_id=2, last_fired_at=NOW, status=RuleStatus.SCHEDULED)
    assert decided(renamed, as_planned(RULE)).step is Step.LEAVE


def test_another_task_queue_rebuilds_the_schedule() -> None:
    """Nobody would listen at the old one."""
    assert decide(RULE, as_planned(RULE), task_queue="other", now=NOW).step is Step.UPDATE


@pytest.mark.parametrize(
    "listed", [Listed(None, paused=False), Listed(HALTED, paused=True), Listed("0" * 16, paused=True)]
)
def test_a_schedule_of_other_making_is_rebuilt(listed: Listed) -> None:
    """A person's note, a rule that was invalid, and a plan of before."""
    assert decided(RULE, listed).step is Step.UPDATE


def test_a_schedule_that_a_person_has_paused_goes_on() -> None:
    """The row is the truth."""
    assert decided(RULE, replace(as_planned(RULE), paused=True)).step is Step.UPDATE


def test_an_inactive_rule_stands_still() -> None:
    """None is made only to stand still."""
    inactive = replace(RULE, active=False)
    assert told(decided(inactive)) == (Step.LEAVE, RuleStatus.PAUSED)
    assert told(decided(inactive, as_planned(RULE))) == (Step.PAUSE, RuleStatus.PAUSED)
    assert told(decided(inactive, as_planned(inactive))) == (Step.LEAVE, RuleStatus.PAUSED)
    assert told(decided(RULE, as_planned(inactive))) == (Step.UPDATE, RuleStatus.SCHEDULED)


@pytest.mark.parametrize(
    "bad",
    [
        replace(RULE, config={}),
        replace(RULE, config=Unreadable()),
        replace(RULE, trigger=RuleTrigger.EVENT),
    ],
)
def test_an_invalid_rule_is_told_and_its_schedule_halted(bad: Rule) -> None:
    """Once; without a schedule there is nothing to halt."""
    assert told(decided(bad)) == (Step.LEAVE, RuleStatus.INVALID)
    assert decided(bad).verdict.error
    assert told(decided(bad, as_planned(RULE))) == (Step.HALT, RuleStatus.INVALID)
    assert told(decided(bad, Listed(HALTED, paused=False))) == (Step.HALT, RuleStatus.INVALID)
    assert told(decided(bad, Listed(HALTED, paused=True))) == (Step.LEAVE, RuleStatus.INVALID)


def test_a_one_time_rule_is_scheduled_until_it_is_done() -> None:
    """Done for another time is not done."""
    ahead = once(NOW + timedelta(hours=1), done_for=NOW)
    assert told(decided(ahead)) == (Step.CREATE, RuleStatus.SCHEDULED)
    assert decided(ahead).passed is None

    done = replace(ahead, done_for=NOW + timedelta(hours=1))
    assert told(decided(done)) == (Step.LEAVE, RuleStatus.DONE)
    assert told(decided(done, as_planned(done))) == (Step.LEAVE, RuleStatus.DONE)


def test_a_one_time_rule_whose_time_has_passed_is_looked_after_without_a_schedule() -> None:
    """A schedule that is made after its time does not fire; one of before that is changed must not fire on."""
    late = once(NOW - timedelta(seconds=5))
    assert decided(late).passed == NOW - timedelta(seconds=5)
    assert told(decided(late)) == (Step.LEAVE, RuleStatus.SCHEDULED)
    assert decided(late, as_planned(RULE)).step is Step.UPDATE
    assert decided(replace(late, active=False)).passed is None


def test_what_was_said_of_a_rule_that_never_fired_stays() -> None:
    """Until its time changes."""
    at = NOW - timedelta(days=1)
    missed = once(at, done_for=at, status=RuleStatus.DONE, error="it did not fire")
    assert decided(missed).verdict.error == "it did not fire"

    off = decided(replace(missed, active=False)).verdict
    assert (off.status, off.error) == (RuleStatus.PAUSED, "it did not fire")
    on = decided(replace(missed, status=off.status, error=off.error)).verdict
    assert (on.status, on.error) == (RuleStatus.DONE, "it did not fire")
    assert decided(replace(missed, status=RuleStatus.INVALID)).verdict.error is None
    later = once(
        NOW + timedelta(days=1), done_for=at, status=RuleStatus.PAUSED, error="it did not fire", active=False
    )
    assert decided(later).verdict.error is None


def test_what_was_changed_a_moment_ago_is_confirmed() -> None:
    """The list may be of before the last run: paused and going again, both within a second."""
    recent = replace(RULE, recent=True)
    invalid = replace(RULE, config={}, recent=True)
    assert told(decided(recent, as_planned(RULE))) == (Step.CONFIRM, RuleStatus.SCHEDULED)
    assert told(decided(recent)) == (Step.CREATE, RuleStatus.SCHEDULED)
    assert told(decided(invalid, Listed(HALTED, paused=True))) == (Step.CONFIRM, RuleStatus.INVALID)
    assert told(decided(invalid)) == (Step.LEAVE, RuleStatus.INVALID)


def test_a_rule_that_is_not_served_stands_still() -> None:
    """Its times are not even read."""
    said = [refuse(RULE, listed, RuleStatus.FAILED, "too many") for listed in (None, as_planned(RULE))]
    assert [told(one) for one in said] == [
        (Step.LEAVE, RuleStatus.FAILED),
        (Step.HALT, RuleStatus.FAILED),
    ]


def test_an_end_that_has_passed_needs_no_search() -> None:
    """The most frequent end of all."""
    searched = []
    for end, status in (("2026-05-01", RuleStatus.DONE), ("2026-07-01", RuleStatus.SCHEDULED)):
        rule = replace(RULE, config={**DAILY, "end_at": f"{end}T00:00:00Z"})
        with counted(find_next_firing) as searches:
            assert decided(rule).verdict.status is status
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
    """Temporal deletes such a schedule in the end, and it does not come back; a changed one must not fire on."""
    rule = replace(RULE, config=over)
    assert told(decided(rule)) == (Step.LEAVE, RuleStatus.DONE)
    assert told(decided(rule, as_planned(rule))) == (Step.LEAVE, RuleStatus.DONE)
    assert told(decided(rule, as_planned(RULE))) == (Step.UPDATE, RuleStatus.DONE)


def test_a_rule_that_ends_later_is_not_done() -> None:
    """There is a time ahead."""
    rule = replace(RULE, config={**DAILY, "end_at": "2026-07-01T00:00:00Z"})
    assert told(decided(rule)) == (Step.CREATE, RuleStatus.SCHEDULED)
