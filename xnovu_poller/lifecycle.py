"""The states of a notification, the lawful moves between them, and the words of its life as types."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import Any, NamedTuple

from xnovu_poller.errors import NovuError, XnovuError

RECIPIENTS_PER_CHUNK = 100
"""Novu takes at most this many recipients in one trigger. Sender: Novu, "Trigger event"."""

MAX_LAPSES = 3
"""More lapses than this and the notification is poison: it kills whoever sends it."""


class Status(StrEnum):
    """Where a notification stands.

    PENDING: written by its producer, or given back unharmed; a loop claims it once it is due.
    PROCESSING: claimed; `attempt` says by which claim. If the holder dies, the lease lapses and
        the failed loop asks Temporal what became of the workflow.
    SENT: Novu accepted every chunk. Final.
    FAILED: an attempt failed; due again at `next_attempt_at`.
    DEAD: given up, `error_details` says why. Final until a person revives it.
    RETRACTED: withdrawn or expired before anything was accepted, unless
        `error_details.delivery` says "unknown". Final until a person revives it.
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
        (Status.PROCESSING, Status.PROCESSING),  # rescue claims anew
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
"""From → to; the database's trigger refuses every other, and a test compares the two."""


class PublishStatus(StrEnum):
    """Whether a row is meant to be used; only PUBLISH is."""

    NONE = "NONE"
    DRAFT = "DRAFT"
    DISCARD = "DISCARD"
    PUBLISH = "PUBLISH"
    DELETED = "DELETED"
    REVIEW = "REVIEW"


class Channel(StrEnum):
    """The ways on which a notification reaches a person."""

    IN_APP = "IN_APP"
    EMAIL = "EMAIL"
    SMS = "SMS"
    CHAT = "CHAT"
    PUSH = "PUSH"


class WorkflowType(StrEnum):
    """STATIC: Novu holds the text. DYNAMIC: our templates are rendered and travel in the payload."""

    STATIC = "STATIC"
    DYNAMIC = "DYNAMIC"


class RuleTrigger(StrEnum):
    """What makes a rule fire."""

    CRON = "CRON"
    SCHEDULE = "SCHEDULE"
    EVENT = "EVENT"


class RuleStatus(StrEnum):
    """What became of a rule, as its row tells; none, until it was first looked at.

    SCHEDULED: its Temporal Schedule follows it.
    PAUSED: deactivated or not PUBLISH; its schedule stands still.
    DONE: no time lies ahead; `rule_error` says so where its only time had passed unfired.
    INVALID: it cannot be scheduled as it is written; `rule_error` says why, its schedule stands still.
    FAILED: Temporal would not have its schedule; `rule_error` says why.
    """

    SCHEDULED = "SCHEDULED"
    PAUSED = "PAUSED"
    DONE = "DONE"
    INVALID = "INVALID"
    FAILED = "FAILED"


class FireOutcome(StrEnum):
    """How a firing of a rule ended.

    CREATED: it made its notification.
    REPEATED: the same firing had made it before.
    INACTIVE: the rule was deactivated or not PUBLISH by then.
    NO_RECIPIENTS: its payload names none, or something else than names.
    GONE: the rule's row is no more.
    """

    CREATED = "created"
    REPEATED = "repeated"
    INACTIVE = "inactive"
    NO_RECIPIENTS = "no_recipients"
    GONE = "gone"


class ChoreName(StrEnum):
    """What is done once for the whole deployment, however many workers run.

    RULES: let Temporal's schedules follow the rows. RETENTION: delete what ended long ago.
    STATISTICS: count what waits. DOCTOR: look for what a person should repair.
    """

    RULES = "rules"
    RETENTION = "retention"
    STATISTICS = "statistics"
    DOCTOR = "doctor"


class RunState(Enum):
    """What Temporal knows of a run: OPEN, GONE (closed, or never heard of), or UNKNOWN if it did not answer."""

    OPEN = auto()
    GONE = auto()
    UNKNOWN = auto()


class Attempt(NamedTuple):
    """One attempt of a notification: what is written only while the row is at this attempt."""

    notification_id: int
    attempt: int


EnterpriseWorkflow = tuple[str, str]
"""An enterprise and one of its workflows: what may fail while all else is served."""


class Sender(NamedTuple):
    """Who asks for a call to Novu: whose failures are told apart.

    The transaction id is the notification's, for all of its chunks.
    """

    enterprise_id: str
    workflow_key: str
    transaction_id: str

    @property
    def line(self) -> EnterpriseWorkflow:
        """The enterprise's workflow."""
        return self.enterprise_id, self.workflow_key


@dataclass(frozen=True, slots=True)
class Claim:
    """A notification taken by a loop: the right to hand it off.

    Attributes:
        notification_id: the row.
        attempt: the number of claims so far, this one included: the right to write.
        enterprise_id: the tenant.
        workflow_key: Novu's name of the workflow; None if the row names none.
        temporal_workflow_id: the workflow that is to carry it; shared by a group.
        priority: 0 to 9, higher first.
    """

    notification_id: int
    attempt: int
    enterprise_id: str
    workflow_key: str | None
    temporal_workflow_id: str
    priority: int

    @property
    def work(self) -> Attempt:
        """The right to write that the claim carries."""
        return Attempt(self.notification_id, self.attempt)


@dataclass(frozen=True, slots=True)
class Hold:
    """The sole right to send one attempt of a notification, for a moment.

    Attributes:
        notification_id: the row.
        attempt: the claim under which it is held.
        until: the row's `send_until`; together with `attempt` it fences every record, so that a
            stalled twin whose hold has lapsed changes nothing.
    """

    notification_id: int
    attempt: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """Novu took it; for a bulk call, this item of it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Novu definitely did not take it; `error` says why: unavailable, throttled, rejected, unauthorized."""

    error: NovuError


@dataclass(frozen=True, slots=True)
class Unknown:
    """Novu may have taken it; the same call, byte for byte, has to be made again."""

    error: NovuError


Outcome = Accepted | Refused | Unknown
"""How one call to Novu, or one item of a bulk call, ended."""


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """Why a notification did not go out, as its row tells it in `error_details`.

    Attributes:
        code: the error's name.
        message: the error's sentence; no value of the payload, no recipient, no secret.
        chunks: the chunks that Novu rejected, where others of the notification were accepted or are left.
    """

    code: str
    message: str
    chunks: tuple[int, ...] = ()

    @classmethod
    def of(cls, error: XnovuError) -> "ErrorDetails":
        """Tell an error as a row tells it."""
        return cls(error.code, str(error))

    def details(self) -> dict[str, Any]:
        """Give the JSON form for `error_details`."""
        details: dict[str, Any] = {"code": self.code, "message": self.message}
        return details | {"chunks": list(self.chunks)} if self.chunks else details


def seconds(span: timedelta) -> float:
    """Give a span as the number that PostgreSQL's `make_interval(secs => …)` takes."""
    return span.total_seconds()
