"""The schedule of a rule: as we plan it, in Temporal's form, and as Temporal lists and describes it."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.common import TypedSearchAttributes

from xnovu_poller.rules.timing import Calendar, Span, Timing
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import FireInput

_FORMAT = 1
"""Change it to rebuild all schedules, because every digest changes."""

HALTED = "halted"
"""Stands in the note instead of a digest while the rule is invalid and its schedule paused."""

_NOTE = "This schedule follows its rule's row: a change made here is undone. xnovu-poller: "
_DIGEST = re.compile(r"xnovu-poller: (\w+)$")


@dataclass(frozen=True, slots=True)
class Plan:
    """The schedule that a rule should have.

    Attributes:
        paused: whether the schedule is paused.
        task_queue: where our executors poll.
    """

    rule_id: int
    enterprise_id: str
    timing: Timing
    paused: bool
    task_queue: str

    @property
    def digest(self) -> str:
        """Differs between any two plans of a rule; the schedule's note carries it."""
        return sha256(f"{_FORMAT} {asdict(self)}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ListedRule:
    """A rule's schedule as Temporal lists it.

    Attributes:
        digest: of the plan that it was built from, or `HALTED`; None if a person has changed the note.
        paused: whether the schedule is paused.
    """

    digest: str | None
    paused: bool


@dataclass(frozen=True, slots=True)
class RuleScheduleState:
    """A rule's schedule as Temporal describes it.

    Attributes:
        paused: whether the schedule is paused.
        next_at: the next firings, jitter included; at most ten.
        last_at: the time for which it fired last; None before the first firing.
        fired: firings since the schedule was created.
        missed: firings that were dropped because they came later than the rule's catchup.
        skipped: firings that the rule's overlap dropped.
    """

    paused: bool
    next_at: tuple[datetime, ...]
    last_at: datetime | None
    fired: int
    missed: int
    skipped: int


def write_note(digest: str) -> str:
    """Return the note of a schedule: a sentence for people, and the digest or `HALTED` for us.

    The digest is in the note and not in the memo because Temporal cannot change the memo of an existing schedule.
    """
    return _NOTE + digest


def read_digest(note: str | None) -> str | None:
    """Return the digest in a note; None if a person has written another note."""
    found = _DIGEST.search(note or "")
    return found and found[1]


def build_schedule(plan: Plan, deployment: UUID, attributes: TypedSearchAttributes) -> Schedule:
    """Build the whole schedule of a plan; `attributes` are those of the runs that it starts."""
    at = plan.timing.at
    return Schedule(
        action=ScheduleActionStartWorkflow(
            contract.RULE_WORKFLOW,
            args=[FireInput(str(deployment), plan.rule_id, None if at is None else at.isoformat())],
            id=contract.rule_schedule_id(deployment, plan.rule_id),
            task_queue=plan.task_queue,
            execution_timeout=contract.FIRE_TIMEOUT,
            typed_search_attributes=attributes,
        ),
        spec=build_spec(plan.timing),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy[plan.timing.overlap.name], catchup_window=plan.timing.catchup
        ),
        state=ScheduleState(note=write_note(plan.digest), paused=plan.paused),
    )


def build_spec(timing: Timing) -> ScheduleSpec:
    """Build Temporal's form of a rule's times: always structured, never a cron string."""
    return ScheduleSpec(
        calendars=[_build_calendar(calendar) for calendar in timing.calendars],
        intervals=[ScheduleIntervalSpec(interval.every, interval.offset) for interval in timing.intervals],
        start_at=timing.start_at,
        end_at=timing.end_at,
        jitter=timing.jitter,
        time_zone_name=timing.zone,
    )


def _build_calendar(calendar: Calendar) -> ScheduleCalendarSpec:
    return ScheduleCalendarSpec(
        second=_build_ranges(calendar.second),
        minute=_build_ranges(calendar.minute),
        hour=_build_ranges(calendar.hour),
        day_of_month=_build_ranges(calendar.day_of_month),
        month=_build_ranges(calendar.month),
        year=_build_ranges(calendar.year),
        day_of_week=_build_ranges(calendar.day_of_week),
    )


def _build_ranges(spans: Sequence[Span]) -> list[ScheduleRange]:
    return [ScheduleRange(span.first, span.last, span.step) for span in spans]
