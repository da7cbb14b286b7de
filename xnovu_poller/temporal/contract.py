"""What travels through Temporal, and its names there; it contains no payload, no recipient and no secret."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from temporalio.common import SearchAttributeKey

from xnovu_poller.errors import XnovuError
from xnovu_poller.lifecycle import Attempt, ChoreName, Status

WORKFLOW = "NotificationProcessingWorkflow"
DELIVER = "deliver"
RECORD_LOST_CONTACT = "record_lost_contact"

RULE_WORKFLOW = "RuleExecutionWorkflow"
FIRE = "fire"

CHORES_WORKFLOW = "ChoresWorkflow"
CHORES = tuple(name for name in ChoreName if name not in {ChoreName.CHECKS, ChoreName.WORKFLOWS})
"""The chores of every run, in order; each name is also the name of its activity."""

ENTERPRISE = SearchAttributeKey.for_keyword("XnovuEnterpriseId")
NOTIFICATION = SearchAttributeKey.for_keyword("XnovuNotificationId")
WORKFLOW_KEY = SearchAttributeKey.for_keyword("XnovuWorkflowKey")
OUTCOME = SearchAttributeKey.for_keyword("XnovuOutcome")
SENT = Status.SENT.value
LOST = "LOST"
"""`OUTCOME` is the state that was written to the row of a single notification: DEAD, RETRACTED, FAILED, or PENDING
after a release (FAILED if the row was FAILED before). SENT is never set. LOST is not a state: the run could write nothing, because another attempt had the
row, a try of this run had recorded it already, or a send was still live."""

_SUMMARY_BYTES = 200
"""The longest summary of a run. Source: Temporal, "User Metadata"."""

SEARCH_ATTRIBUTES = (ENTERPRISE, NOTIFICATION, WORKFLOW_KEY, OUTCOME)

EXECUTION_TIMEOUT = timedelta(hours=1)
"""No run stays open for ever, so the rescue reaches every row."""

LONGEST_TASK = timedelta(seconds=120)
"""Temporal's limit for a workflow task. Source: Temporal, "Workflow Task Timeout"."""

_TASK_MARGIN = timedelta(seconds=10)
_LOCAL_MARGIN = timedelta(seconds=8)

MOST_ATTEMPTS = 2000
"""The most attempts of a run: the largest group that the settings allow."""

TRIES = 3
"""The tries of an attempt, local and regular together."""


@dataclass(frozen=True)
class DeliverInput:
    """The input of the workflow and of its activities.

    Attributes:
        deployment: the owner of the notifications; an executor of another deployment refuses them.
        attempts: as `pack` writes them. Runs of older versions have pairs of notification id and attempt, which Temporal
            would check one by one each time that the input is decoded if it knew their type. We read them for ever,
            because runs and their histories outlive the version that started them.
        enterprise_id: the tenant, if the group has only one.
        call_seconds: the longest that a call to Novu may last; the timeouts follow from it.
        searchable: the search attributes are registered, so the run may set them.
        fails_if_dead: the run of a notification that becomes DEAD fails; False for runs of older versions.
    """

    deployment: str
    attempts: Any
    enterprise_id: str | None
    call_seconds: float
    searchable: bool = False
    fails_if_dead: bool = False

    def read_attempts(self) -> list[Attempt]:
        """Return the attempts as typed values.

        Raises:
            XnovuError: they cannot be read, or are too many; no further try can help, so the run fails.
        """
        if not isinstance(self.attempts, str):
            return [Attempt(notification_id, number) for notification_id, number in self.attempts]
        try:
            attempts = list(islice(_unpack(self.attempts), MOST_ATTEMPTS + 1))
        except ValueError:
            raise XnovuError("input: its attempts cannot be read") from None
        if len(attempts) > MOST_ATTEMPTS:
            raise XnovuError(f"input: it has more than {MOST_ATTEMPTS} attempts")
        return attempts

    @property
    def call(self) -> timedelta:
        """The longest that a call to Novu may last."""
        return timedelta(seconds=self.call_seconds)

    @property
    def single(self) -> bool:
        """Whether it is a single notification, not a group."""
        if isinstance(self.attempts, str):
            return "," not in self.attempts and "-" not in self.attempts
        return len(self.attempts) == 1

    @property
    def begins_locally(self) -> bool:
        """Whether the first try is a local activity: it is if a call fits into a workflow task."""
        return self.call + _TASK_MARGIN <= LONGEST_TASK

    @property
    def regular_tries(self) -> int:
        """How many tries are regular activities."""
        return TRIES - self.begins_locally


@dataclass(frozen=True)
class FireInput:
    """The input of a rule's workflow and of its activity.

    Attributes:
        deployment: the owner of the rule.
        at: the time of a one-time rule, ISO 8601, if it fires for that time; None for any other firing.
        fired_at: the time for which any rule fires, ISO 8601; the workflow sets it for its activity.
    """

    deployment: str
    rule_id: int
    at: str | None = None
    fired_at: str | None = None


@dataclass(frozen=True)
class ChoresInput:
    """The input of the chores' workflow and of its activities.

    Attributes:
        deployment: the owner of the chores.
        workflows: Novu's workflows follow the rows; False in runs of older versions.
        checks: templates and workflows are checked; False in runs of older versions.
    """

    deployment: str
    workflows: bool = False
    checks: bool = False


MEMO_DEPLOYMENT, MEMO_RULE = "xnovu_deployment", "xnovu_rule"
"""The keys of a schedule's memo: its deployment and its rule. A schedule without them is not ours to touch."""

STARTED_FOR = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Temporal's own attribute: the time for which a schedule started a run, without jitter and delay."""

FIRE_TIMEOUT = timedelta(hours=24)
"""The timeout of a firing, which tries again while PostgreSQL is away."""

CHORES_TIMEOUT = timedelta(minutes=15)

HEARTBEAT_TIMEOUT = timedelta(seconds=10)
"""The heartbeat timeout of the activities of rules and chores."""


def rule_schedule_prefix(deployment: UUID) -> str:
    """Return the prefix of the ids of all rule schedules."""
    return f"{prefix(deployment)}-rule-"


def rule_schedule_id(deployment: UUID, rule_id: int) -> str:
    """Return the id of a rule's schedule; the id of a run that it starts is this id and the time of the firing."""
    return f"{rule_schedule_prefix(deployment)}{rule_id}"


def scheduled_run_id(schedule_id: str, at: datetime) -> str:
    """Return the id, as Temporal composes it, of the run that a schedule starts for a time."""
    return f"{schedule_id}-{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def chore_schedule_id(deployment: UUID) -> str:
    """Return the id of the schedule of the chores."""
    return f"{prefix(deployment)}-chores"


def prefix(deployment: UUID) -> str:
    """Return the short name of a deployment, the first part of all its run and schedule ids."""
    return deployment.hex[:8]


def describe_death(code: str | None) -> str:
    """Return the outcome of a notification that is DEAD: the state and, if it is known, the code."""
    return f"{Status.DEAD.value} {code}" if code else Status.DEAD.value


def split_outcome(outcome: str) -> tuple[str, str | None]:
    """Return the state of an outcome, and the code if it is DEAD."""
    state, _, code = outcome.partition(" ")
    return state, code or None


def cut_summary(summary: str) -> str:
    """Return a summary of a run that Temporal accepts."""
    return summary.encode()[:_SUMMARY_BYTES].decode(errors="ignore")


def pack(attempts: Iterable[Attempt]) -> str:
    """Return attempts as a short text, in the order of their ids: `17:1,20-99:2` for 17, and 20 to 99 at attempt 2."""
    spans: list[tuple[int, int, int]] = []
    for id_, number in sorted(attempts):
        first = id_
        if spans and spans[-1][1:] == (id_ - 1, number):
            first = spans.pop()[0]
        spans.append((first, id_, number))
    return ",".join(
        f"{first}:{number}" if first == last else f"{first}-{last}:{number}" for first, last, number in spans
    )


def _unpack(packed: str) -> Iterator[Attempt]:
    for span in packed.split(","):
        ids, _, number = span.partition(":")
        first, _, last = ids.partition("-")
        for id_ in range(int(first), int(last or first) + 1):
            yield Attempt(id_, int(number))


def task_timeout(call: timedelta) -> timedelta:
    """Return the longest that a workflow task may last; a local activity runs within it."""
    return min(call + _TASK_MARGIN, LONGEST_TASK)


def local_timeout(call: timedelta) -> timedelta:
    """Return the longest that a local activity may last: it must end before its workflow task."""
    return call + _LOCAL_MARGIN


def regular_timeout(call: timedelta) -> timedelta:
    """Return the longest that a regular activity may last; it may send groups and many chunks."""
    return call + timedelta(minutes=10)


def heartbeat_timeout(call: timedelta) -> timedelta:
    """Return how long an activity may be silent before Temporal considers it dead."""
    return max(call, timedelta(seconds=10))
