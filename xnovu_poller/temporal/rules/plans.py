"""How the schedule of a rule is meant to be, in our words and in Temporal's, and how it is found to be."""

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
"""Of what a schedule is made; a new one rebuilds them all."""

HALTED = "halted"
"""In the place of a digest: the schedule stands still, for its rule is invalid."""

_NOTE = "Follows the rule's row, from which whatever is changed here is put right. xnovu-poller: "
_SIGN = re.compile(r"xnovu-poller: (\w+)$")


@dataclass(frozen=True, slots=True)
class Plan:
    """How the schedule of a rule is meant to be.

    Attributes:
        rule_id: whose schedule.
        enterprise_id: the tenant.
        timing: when it fires.
        paused: it stands still.
        task_queue: where executors listen.
    """

    rule_id: int
    enterprise_id: str
    timing: Timing
    paused: bool
    task_queue: str

    @property
    def digest(self) -> str:
        """What tells it from any other plan of the rule; a schedule bears it in its note."""
        return sha256(f"{_FORMAT} {asdict(self)}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Listed:
    """A rule's schedule as Temporal lists it.

    Attributes:
        digest: of the plan by which it was made; `HALTED`; None where a person has changed the note.
        paused: it stands still.
    """

    digest: str | None
    paused: bool


@dataclass(frozen=True, slots=True)
class Described:
    """A rule's schedule as Temporal describes it.

    Attributes:
        paused: it stands still.
        next_at: the next times at which it fires, jitter included; at most ten.
        last_at: for when it fired last.
        fired: how often it did, as long as it stands.
        missed: firings that came too late for the rule's catchup, and were dropped.
        skipped: firings that the rule's overlap dropped.
    """

    paused: bool
    next_at: tuple[datetime, ...]
    last_at: datetime | None
    fired: int
    missed: int
    skipped: int


def note(sign: str) -> str:
    """Write the note of a schedule: words for people, and the sign by which it is known again.

    Temporal cannot change the memo of a schedule that is there.

    Args:
        sign: the digest of its plan, or `HALTED`.
    """
    return _NOTE + sign


def sign(note: str | None) -> str | None:
    """Read the sign out of a note; None where a person has written another."""
    found = _SIGN.search(note or "")
    return found and found[1]


def schedule(plan: Plan, deployment: UUID, attributes: TypedSearchAttributes) -> Schedule:
    """Make the whole schedule of a plan.

    Args:
        plan: how it is meant to be.
        deployment: whose rule it is.
        attributes: of the workflows that it starts.
    """
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
        spec=spec_of(plan.timing),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy[plan.timing.overlap.name], catchup_window=plan.timing.catchup
        ),
        state=ScheduleState(note=note(plan.digest), paused=plan.paused),
    )


def spec_of(timing: Timing) -> ScheduleSpec:
    """Say in Temporal's words when a rule fires: always structured, never a cron string."""
    return ScheduleSpec(
        calendars=[_calendar(one) for one in timing.calendars],
        intervals=[ScheduleIntervalSpec(one.every, one.offset) for one in timing.intervals],
        start_at=timing.start_at,
        end_at=timing.end_at,
        jitter=timing.jitter,
        time_zone_name=timing.zone,
    )


def _calendar(calendar: Calendar) -> ScheduleCalendarSpec:
    return ScheduleCalendarSpec(
        second=_ranges(calendar.second),
        minute=_ranges(calendar.minute),
        hour=_ranges(calendar.hour),
        day_of_month=_ranges(calendar.day_of_month),
        month=_ranges(calendar.month),
        year=_ranges(calendar.year),
        day_of_week=_ranges(calendar.day_of_week),
    )


def _ranges(spans: Sequence[Span]) -> list[ScheduleRange]:
    return [ScheduleRange(span.first, span.last, span.step) for span in spans]
