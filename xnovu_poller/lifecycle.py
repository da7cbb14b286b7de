"""The states of a notification, the lawful moves between them, and the types that every room shares."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto
from typing import Any, NamedTuple

from xnovu_poller.errors import NovuError, XnovuError
from xnovu_poller.facts import describe

RECIPIENTS_PER_CHUNK = 100
"""Novu takes at most this many recipients in one trigger. Source: Novu, "Trigger event"."""

OUR_KEY = "xnovu"
"""What we add to a payload has this name, which no producer may use."""

MAX_LAPSES = 3
"""A notification with more lapses than this is poison: sending it kills the process."""


class Status(StrEnum):
    """The state of a notification.

    PENDING: inserted by its producer, or released; a loop claims it once it is due.
    PROCESSING: claimed; `attempt` is the number of the claim. If its process dies, the lease lapses, and
        the rescuer asks Temporal whether the run still exists.
    SENT: Novu accepted every chunk. Final.
    FAILED: an attempt failed; due again at `next_attempt_at`.
    DEAD: no further attempt will be made; `error_details` has the reason. Final until a person revives it.
    RETRACTED: retracted or expired before Novu accepted anything, unless `error_details.delivery` is
        "unknown". Final until a person revives it.
    """

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    SENT = "SENT"
    FAILED = "FAILED"
    DEAD = "DEAD"
    RETRACTED = "RETRACTED"


LAWFUL_MOVES: frozenset[tuple[Status, Status]] = frozenset(
    {
        (Status.PENDING, Status.PROCESSING),  # claim
        (Status.FAILED, Status.PROCESSING),  # claim
        (Status.PROCESSING, Status.PROCESSING),  # reclaim; a hold and its writes keep the state too
        (Status.PROCESSING, Status.SENT),
        (Status.PROCESSING, Status.FAILED),
        (Status.PROCESSING, Status.DEAD),
        (Status.PROCESSING, Status.PENDING),  # release
        (Status.PENDING, Status.RETRACTED),
        (Status.FAILED, Status.RETRACTED),
        (Status.PROCESSING, Status.RETRACTED),
        (Status.DEAD, Status.PENDING),  # revive
        (Status.RETRACTED, Status.PENDING),  # revive
    }
)
"""From → to. The database's trigger refuses every other change of state; a test compares the two."""


class PublishStatus(StrEnum):
    """Whether a row may be used; only PUBLISH may."""

    NONE = "NONE"
    DRAFT = "DRAFT"
    DISCARD = "DISCARD"
    PUBLISH = "PUBLISH"
    DELETED = "DELETED"
    REVIEW = "REVIEW"


class Channel(StrEnum):
    """The ways in which a notification reaches a person."""

    IN_APP = "IN_APP"
    EMAIL = "EMAIL"
    SMS = "SMS"
    CHAT = "CHAT"
    PUSH = "PUSH"


class WorkflowType(StrEnum):
    """STATIC: Novu has the text. DYNAMIC: we render our templates, and the text travels in the payload."""

    STATIC = "STATIC"
    DYNAMIC = "DYNAMIC"


class PauseScope(StrEnum):
    """What a pause concerns: all notifications, those of an enterprise, or those of a workflow, perhaps of one enterprise."""

    ALL = "all"
    ENTERPRISE = "enterprise"
    WORKFLOW = "workflow"


class RuleTrigger(StrEnum):
    """What makes a rule fire."""

    CRON = "CRON"
    SCHEDULE = "SCHEDULE"
    EVENT = "EVENT"


class RuleStatus(StrEnum):
    """The state of a rule, in its row; NULL until the first reconciliation.

    SCHEDULED: its Temporal Schedule follows it.
    PAUSED: deactivated or not PUBLISH; its schedule is paused.
    DONE: it will not fire again; `rule_error` is set if its only time passed without a firing.
    INVALID: its trigger_config cannot be scheduled; `rule_error` has the reason, its schedule is paused.
    FAILED: Temporal refused its schedule, or its enterprise is at a limit; `rule_error` has the reason.
    """

    SCHEDULED = "SCHEDULED"
    PAUSED = "PAUSED"
    DONE = "DONE"
    INVALID = "INVALID"
    FAILED = "FAILED"


class FireOutcome(StrEnum):
    """How a firing of a rule ended.

    CREATED: it inserted its notification.
    REPEATED: the same firing had inserted it before.
    INACTIVE: the rule was deactivated or not PUBLISH by then.
    NO_RECIPIENTS: `rule_payload.recipients` is missing or not a list of subscriber ids.
    REFUSED: the table refuses the notification, as for a recipient outside the bounds of the enterprise.
    GONE: the rule was deleted.
    """

    CREATED = "created"
    REPEATED = "repeated"
    INACTIVE = "inactive"
    NO_RECIPIENTS = "no_recipients"
    REFUSED = "refused"
    GONE = "gone"


class ReconcileOutcome(StrEnum):
    """What a reconciliation did about one rule: a key of its report and a value of the metric's label `kind`.

    CREATED: its schedule was created.
    UPDATED: its schedule was rebuilt.
    PAUSED: its schedule stands still now.
    DELETED: its row is gone, so its schedule was deleted.
    CAUGHT_UP: a one-time rule fired late, within its catchup.
    MISSED: a one-time rule is done but did not fire.
    INVALID: the rule was found invalid, which it was not before.
    FAILED: Temporal refused its schedule, or the reconciliation could not serve the rule.
    UNCHANGED: everything was up to date.
    """

    CREATED = "created"
    UPDATED = "updated"
    PAUSED = "paused"
    DELETED = "deleted"
    CAUGHT_UP = "caught_up"
    MISSED = "missed"
    INVALID = "invalid"
    FAILED = "failed"
    UNCHANGED = "unchanged"


class LoopName(StrEnum):
    """The loops that claim notifications; the values are the label `loop` of metrics.

    NEW: rows that are due at once. SCHEDULED: rows with a time. FAILED: rows that are due for another attempt.
    """

    NEW = "new"
    SCHEDULED = "scheduled"
    FAILED = "failed"


class ChoreName(StrEnum):
    """What is done once for the whole deployment, however many workers run.

    RULES: make Temporal's schedules follow the rows. RETENTION: delete notifications that ended long ago.
    STATISTICS: count the backlog. DOCTOR: look for problems that a person should fix.
    CHECKS: check published templates and workflows.
    WORKFLOWS: make Novu's workflows follow the rows; only if `WORKFLOW_SYNC` is on.
    """

    RULES = "rules"
    RETENTION = "retention"
    STATISTICS = "statistics"
    DOCTOR = "doctor"
    CHECKS = "checks"
    WORKFLOWS = "workflows"


class RowKind(StrEnum):
    """What authors write, and is checked."""

    TEMPLATE = "template"
    WORKFLOW = "workflow"


class CheckedStatus(StrEnum):
    """What the check of a row has found.

    OK: nothing. WARNING: it can be used, but perhaps its author meant something else. ERROR: notifications that need it end
    DEAD.
    """

    OK = "OK"
    WARNING = "WARNING"
    ERROR = "ERROR"


class RunState(Enum):
    """What Temporal knows of a run: OPEN, GONE (closed, or never heard of), or UNKNOWN if it did not answer."""

    OPEN = auto()
    GONE = auto()
    UNKNOWN = auto()


class Attempt(NamedTuple):
    """The right of a claim: a write needs the row to be PROCESSING at this attempt."""

    notification_id: int
    number: int


class Language(NamedTuple):
    """The language of texts, such as `de_CH`, and the zone of the times in them, such as `Europe/Zurich`."""

    locale: str
    time_zone: str


class EnterpriseWorkflow(NamedTuple):
    """A workflow as one enterprise uses it: it may fail while Novu serves everything else."""

    enterprise_id: str
    workflow_key: str


class Origin(NamedTuple):
    """The notification behind a call to Novu; it shows which failures belong together.

    The transaction id is the notification's own, for all of its chunks.
    """

    enterprise_id: str
    workflow_key: str
    transaction_id: str

    @property
    def workflow(self) -> EnterpriseWorkflow:
        """The workflow, as this enterprise uses it."""
        return EnterpriseWorkflow(self.enterprise_id, self.workflow_key)


@dataclass(slots=True)  # not frozen: ADR 12
class Claim:
    """A notification that a loop has claimed and must hand off.

    Attributes:
        attempt: the right of this claim; its number is the fencing token.
        workflow_key: Novu's identifier of the workflow; None if the row has no workflow.
        run_id: the run in Temporal that delivers it; a group shares one run.
        priority: 0 to 9, higher first.
    """

    attempt: Attempt
    enterprise_id: str
    workflow_key: str | None
    run_id: str
    priority: int
    transaction_id: str = ""

    @property
    def facts(self) -> dict[str, object]:
        """`FACTS`."""
        return describe(self.attempt, self.enterprise_id, self.workflow_key, self.run_id, self.transaction_id)

    @property
    def notification_id(self) -> int:
        """The row's id."""
        return self.attempt.notification_id


@dataclass(slots=True)  # not frozen: ADR 12
class Hold:
    """The sole right to send one attempt of a notification, for a moment.

    Attributes:
        attempt: the claim under which it is held.
        until: the row's `send_until`. Together with `attempt` it fences every write, so a stalled process
            whose hold has lapsed changes nothing.
    """

    attempt: Attempt
    until: datetime

    @property
    def notification_id(self) -> int:
        """The row's id."""
        return self.attempt.notification_id


@dataclass(frozen=True, slots=True)
class Accepted:
    """Novu accepted it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Novu did not accept it; `error` has the reason. Only a gateway's 502 or 504 leaves a doubt (`NovuUnavailable.unsure`)."""

    error: NovuError


@dataclass(frozen=True, slots=True)
class Unknown:
    """Novu may have accepted it; the same event must be sent again, byte for byte."""

    error: NovuError


Outcome = Accepted | Refused | Unknown
"""How one trigger ended, by itself or as an item of a bulk call."""


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """Why a notification was not sent: the value of the row's `error_details`.

    Attributes:
        message: the error's sentence; no value of the payload, no recipient, no secret.
        chunks: the numbers of the chunks that Novu rejected; empty if the notification needed a single call.
    """

    code: str
    message: str
    chunks: tuple[int, ...] = ()

    @classmethod
    def of(cls, error: XnovuError) -> "ErrorDetails":
        """Return the details of an error."""
        return cls(error.code, str(error))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value for `error_details`."""
        details: dict[str, Any] = {"code": self.code, "message": self.message}
        return details | {"chunks": list(self.chunks)} if self.chunks else details
