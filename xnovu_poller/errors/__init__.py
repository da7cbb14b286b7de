"""The tree of errors: what can go wrong, its code, and whether trying again helps.

```
XnovuError                    .code: its name in metrics, logs, Temporal     .retryable
├── ConfigError               a setting is missing or wrong; all faults at once; exit code 2
├── StoreError
│   ├── StoreUnavailable      PostgreSQL does not answer, or cannot serve now         retryable
│   │   └── StoreLocked       another session holds a lock that a statement needs     retryable
│   ├── ClocksApart           the clocks of the database and of this process disagree
│   ├── SchemaUnfit           the database is not one of ours, or damaged; exit code 3
│   │   ├── SchemaBehind      the database is behind our migration
│   │   ├── SchemaAhead       the database is ahead of our migration
│   │   └── SchemaUnreleased  the schema is older than the first release
│   └── DeploymentDisputed    the database is a copy, so its notifications may be another's
├── TemporalError
│   ├── TemporalUnavailable   Temporal does not answer                                retryable
│   │   ├── TemporalInsecure  no TLS connection can be made                           retryable
│   │   └── TemporalBusy      Temporal is at a limit                                  retryable
│   └── TemporalRefused       Temporal refuses the request (namespace, login, size)
│       └── ScheduleRefused   Temporal refuses one schedule
│           └── ScheduleMissing   the schedule does not exist
├── Unfinished                an attempt is not complete; the next try continues it   retryable
├── LostContact               the run lost contact with its activity
├── WorkflowTripped           Novu does not answer for one workflow                   retryable
├── Poison                    sending the notification killed its process too often
├── TooLarge                  the notification is heavier than a worker may read
├── PayloadInvalid            the payload breaks the workflow's schema, or the schema cannot be used
├── WorkflowNotFound          the enterprise has no published workflow with this key
├── RuleInvalid               a rule's trigger_config cannot be scheduled
├── TemplateError
│   ├── TemplateMissing       no template is published for this key and channel
│   ├── TemplateUnsafe        the template uses a construct that is not allowed
│   └── TemplateFailed        the template could not be rendered with this payload
└── NovuError
    ├── NovuUnavailable       Novu cannot serve now; nothing accepted unless `unsure` retryable
    ├── NovuThrottled         Novu asks for a pause; nothing was accepted             retryable
    ├── NovuUnanswered        no reliable answer; Novu may have accepted it           retryable
    ├── NovuRejected          Novu refuses this notification
    ├── WorkflowRefused       Novu refuses to write, read or publish a workflow
    ├── NovuUnauthorized      Novu does not accept the key; nothing can be sent
    └── NovuBlocked           something in front of Novu refuses the call             retryable
```

An error takes facts and writes its own sentence: *subject: the problem; what to do*. No sentence contains a
secret, a recipient or a part of a payload, because sentences reach logs and Temporal's history.
"""

from datetime import timedelta

from xnovu_poller.errors.base import ConfigError, XnovuError
from xnovu_poller.errors.novu import (
    NovuBlocked,
    NovuError,
    NovuRejected,
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
    WorkflowRefused,
)
from xnovu_poller.errors.store import (
    ClocksApart,
    DeploymentDisputed,
    SchemaAhead,
    SchemaBehind,
    SchemaUnfit,
    SchemaUnreleased,
    StoreError,
    StoreLocked,
    StoreUnavailable,
)
from xnovu_poller.errors.temporal import (
    ScheduleMissing,
    ScheduleRefused,
    TemporalBusy,
    TemporalError,
    TemporalInsecure,
    TemporalRefused,
    TemporalUnavailable,
)

__all__ = [
    "ClocksApart",
    "ConfigError",
    "DeploymentDisputed",
    "LostContact",
    "NovuBlocked",
    "NovuError",
    "NovuRejected",
    "NovuThrottled",
    "NovuUnanswered",
    "NovuUnauthorized",
    "NovuUnavailable",
    "PayloadInvalid",
    "Poison",
    "RuleInvalid",
    "ScheduleMissing",
    "ScheduleRefused",
    "SchemaAhead",
    "SchemaBehind",
    "SchemaUnfit",
    "SchemaUnreleased",
    "StoreError",
    "StoreLocked",
    "StoreUnavailable",
    "TemplateError",
    "TemplateFailed",
    "TemplateMissing",
    "TemplateUnsafe",
    "TemporalBusy",
    "TemporalError",
    "TemporalInsecure",
    "TemporalRefused",
    "TemporalUnavailable",
    "TooLarge",
    "Unfinished",
    "WorkflowNotFound",
    "WorkflowRefused",
    "WorkflowTripped",
    "XnovuError",
]


class Unfinished(XnovuError):
    """An attempt is not complete; its next try continues where this try stopped.

    Attributes:
        pause: the shortest time until the next try.
    """

    code = "unfinished"
    retryable = True

    def __init__(self, count: int, pause: timedelta = timedelta(0)) -> None:
        super().__init__(f"delivery: left for the next try: {count}")
        self.pause = pause


class LostContact(XnovuError):
    """The run lost contact with its activity."""

    code = "lost_contact"

    def __init__(self) -> None:
        super().__init__("delivery: the run lost contact with its activity; the outcome may be unknown")


class WorkflowTripped(XnovuError):
    """Novu does not answer for one workflow of an enterprise, and serves others."""

    code = "workflow_tripped"
    retryable = True

    def __init__(self) -> None:
        super().__init__("Novu: does not answer for this workflow; one notification at a time probes it")


class Poison(XnovuError):
    """Sending the notification killed its process too often."""

    code = "poison"

    def __init__(self, lapses: int) -> None:
        super().__init__(f"delivery: its sender died {lapses} times")


class TooLarge(XnovuError):
    """A notification is heavier than a worker may read."""

    code = "too_large"

    def __init__(self, weight: int, most: int) -> None:
        super().__init__(
            f"notification: payload, overrides and recipients have {weight} bytes, and {most} are the most;"
            " insert a smaller one"
        )


class PayloadInvalid(XnovuError):
    """The payload breaks the workflow's schema, or cannot be checked, because the schema cannot be used."""

    code = "validation_error"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"payload: {path} {reason}")
        self.path = path
        self.reason = reason

    @classmethod
    def by_schema(cls, fault: str) -> "PayloadInvalid":
        """Return the error of a payload that cannot be checked: the schema is not valid, or too heavy."""
        return cls("$", f"cannot be checked: payload_schema {fault}")


class WorkflowNotFound(XnovuError):
    """The notification has no published workflow."""

    code = "workflow_not_found"

    def __init__(self, workflow: str, reason: str) -> None:
        super().__init__(f"workflow {workflow}: {reason}")


class RuleInvalid(XnovuError):
    """A rule's trigger_config cannot be scheduled."""

    code = "rule_invalid"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"rule: {path}: {reason}")
        self.path = path
        self.reason = reason


class TemplateError(XnovuError):
    """A template cannot be used; `part` is the key of the layout or partial in which it is wrong, if not None."""

    code = "template_error"


def _name_template(part: str | None) -> str:
    return "template" if part is None else f"template {part}"


class TemplateMissing(TemplateError):
    """No published template of this key and channel exists."""

    code = "template_missing"

    def __init__(self, key: str, channel: str) -> None:
        super().__init__(f"template {key} ({channel}): none is published for this enterprise")


class TemplateUnsafe(TemplateError):
    """The template contains a construct that tenants may not write."""

    code = "template_unsafe"

    def __init__(self, line: int, column: int, reason: str, part: str | None = None) -> None:
        super().__init__(f"{_name_template(part)}: line {line}, column {column}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason
        self.part = part


class TemplateFailed(TemplateError):
    """A safe template could not be rendered with this payload."""

    code = "template_failed"

    def __init__(self, reason: str, line: int | None = None, part: str | None = None) -> None:
        where = "" if line is None else f" line {line}:"
        super().__init__(f"{_name_template(part)}:{where} {reason}")
        self.line = line
        self.reason = reason
        self.part = part
