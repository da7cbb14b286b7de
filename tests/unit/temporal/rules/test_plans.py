"""The plan of a rule's schedule, and the schedule built from it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.client import ScheduleActionStartWorkflow, ScheduleOverlapPolicy, ScheduleRange
from temporalio.common import TypedSearchAttributes

from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules.timing import Timing, read_timing
from xnovu_poller.temporal.contract import FireInput
from xnovu_poller.temporal.rules.plans import (
    HALTED,
    Plan,
    build_schedule,
    build_spec,
    read_digest,
    write_note,
)

DEPLOYMENT = UUID("12345678-9abc-4def-8123-456789abcdef")


def cron(expression: str, **more: object) -> Timing:
    """Read a cron rule."""
    return read_timing(RuleTrigger.CRON, {"cron": expression, **more})


def plan(when: Timing, *, paused: bool = False) -> Plan:
    """Plan for a rule."""
    return Plan(7, "acme", when, paused=paused, task_queue="q")


def test_times_are_structured_and_never_a_cron_string() -> None:
    """Temporal reads six fields differently."""
    spec = build_spec(cron("*/15 30 9-17/2 * * 1-5", timezone="Europe/Berlin", jitter="10s"))

    (calendar,) = spec.calendars
    assert calendar.second == [ScheduleRange(0, 59, 15)]
    assert calendar.minute == [ScheduleRange(30)]
    assert calendar.hour == [ScheduleRange(9, 17, 2)]
    assert calendar.day_of_week == [ScheduleRange(1, 5)]
    assert (calendar.day_of_month, calendar.month) == ([ScheduleRange(1, 31)], [ScheduleRange(1, 12)])
    assert list(calendar.year) == []
    assert (spec.time_zone_name, spec.jitter) == ("Europe/Berlin", timedelta(seconds=10))
    assert list(spec.cron_expressions) == []


def test_bounds_and_intervals_reach_the_schedule() -> None:
    """Temporal includes both bounds, as we do."""
    config = {"interval": {"every": "1h", "offset": "5m"}, "start_at": "2027-01-01T00:00:00Z"}
    spec = build_spec(read_timing(RuleTrigger.CRON, {**config, "end_at": "2027-02-01T00:00:00Z"}))

    assert [(interval.every, interval.offset) for interval in spec.intervals] == [
        (timedelta(hours=1), timedelta(minutes=5))
    ]
    assert (spec.start_at, spec.end_at) == (
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2027, 2, 1, tzinfo=UTC),
    )


def test_a_one_time_rule_is_the_calendar_of_its_second() -> None:
    """It is in UTC, and the run gets the time."""
    when = read_timing(RuleTrigger.SCHEDULE, {"at": "2027-03-01T09:30:15+08:00"})
    made = build_schedule(plan(when), DEPLOYMENT, TypedSearchAttributes.empty)

    (calendar,) = made.spec.calendars
    fields = (
        calendar.year,
        calendar.month,
        calendar.day_of_month,
        calendar.hour,
        calendar.minute,
        calendar.second,
    )
    assert [field[0].start for field in fields] == [2027, 3, 1, 1, 30, 15]
    action = made.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert action.args == [FireInput(str(DEPLOYMENT), 7, "2027-03-01T01:30:15+00:00")]


def test_a_schedule_is_built_from_its_plan() -> None:
    """The plan decides what it starts, its overlap, and whether it is paused."""
    made = build_schedule(
        plan(cron("0 9 * * *", overlap="BUFFER_ALL"), paused=True), DEPLOYMENT, TypedSearchAttributes.empty
    )

    action = made.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert (action.id, action.task_queue) == ("12345678-rule-7", "q")
    assert action.args == [FireInput(str(DEPLOYMENT), 7)]
    assert action.execution_timeout == timedelta(hours=24)
    assert made.policy.overlap is ScheduleOverlapPolicy.BUFFER_ALL
    assert made.policy.catchup_window == timedelta(minutes=1)
    assert made.state.paused


def test_a_note_has_the_digest_of_its_plan() -> None:
    """A person's own note has none."""
    digest = plan(cron("0 9 * * *")).digest
    assert read_digest(write_note(digest)) == digest
    assert read_digest(write_note(HALTED)) == HALTED
    others = (None, "", "paused by hand", f"{write_note(digest)} and more")
    assert [read_digest(note) for note in others] == [None] * 4


def test_the_same_plan_has_the_same_digest_in_every_process() -> None:
    """Otherwise workers would rebuild each other's schedules. Another digest here rebuilds every schedule."""
    assert plan(cron("0 9 * * *")).digest == "e5694f741e4ac61a"
    assert plan(cron("0 9 * * *")).digest != plan(cron("0 9 * * *"), paused=True).digest
