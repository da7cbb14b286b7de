"""The tree of errors: what can go wrong, its code, and whether trying again helps.

```
XnovuError                    .code: its name in metrics, logs, Temporal     .retryable
├── ConfigError               a setting is missing or wrong; all faults at once; exit code 2
├── StoreError
│   ├── StoreUnavailable      PostgreSQL does not answer                              retryable
│   ├── SchemaBehind          the database is not at our migration; exit code 3
│   ├── SchemaUnreleased      the schema is older than the first release; exit code 3
│   └── DeploymentDisputed    the database is a copy, so its notifications may be another's
├── TemporalError
│   ├── TemporalUnavailable   Temporal does not answer                                retryable
│   └── TemporalRefused       Temporal refuses the request (namespace, login, size)
│       └── ScheduleRefused   Temporal refuses one schedule
│           └── ScheduleMissing   the schedule does not exist
├── Unfinished                an attempt is not complete; the next try continues it   retryable
├── LostContact               the run lost contact with its activity
├── WorkflowTripped           Novu does not answer for one workflow                   retryable
├── Poison                    sending the notification killed its process too often
├── PayloadInvalid            the payload breaks the workflow's schema
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
    └── NovuUnauthorized      the key or the address is wrong; nothing can be sent
```

An error takes facts and writes its own sentence: *subject: the problem; what to do*. No sentence contains a
secret, a recipient or a part of a payload, because sentences reach logs and Temporal's history.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar
from uuid import UUID


class XnovuError(Exception):
    """Every error that this project raises on purpose."""

    code: ClassVar[str] = "xnovu_error"
    retryable: ClassVar[bool] = False


class ConfigError(XnovuError):
    """Settings are missing or wrong; the error lists all of them."""

    code = "config_error"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("settings: " + "; ".join(faults))
        self.faults = tuple(faults)


class StoreError(XnovuError):
    """The database cannot serve us."""

    code = "store_error"


class StoreUnavailable(StoreError):
    """PostgreSQL does not answer; a write may or may not have been made."""

    code = "store_unavailable"
    retryable = True

    def __init__(self, reason: str) -> None:
        super().__init__(f"database: does not answer ({reason})")


class SchemaBehind(StoreError):
    """The database is not at our migration."""

    code = "schema_behind"

    def __init__(self, found: str | None, required: str) -> None:
        super().__init__(
            f"database: its schema is at {found or 'no migration'}, this version needs {required};"
            " run `xnovu db upgrade`"
        )
        self.found = found
        self.required = required


class SchemaUnreleased(StoreError):
    """A version before the first release made the schema, and no migration leads on from there."""

    code = "schema_unreleased"

    def __init__(self, found: str) -> None:
        super().__init__(
            f"database: its schema was made by an unreleased version (revision {found}), which this version cannot"
            " change; dump the rows that you need, run `xnovu db downgrade base` with the version that made it, or"
            " create a new database, then run `xnovu db upgrade`"
        )
        self.found = found


class DeploymentDisputed(StoreError):
    """The database is a copy that claims to be the original; a person has to decide."""

    code = "deployment_disputed"

    def __init__(self, deployment: UUID, sign: str) -> None:
        super().__init__(
            f"database: it is a copy of the database of deployment {deployment.hex[:8]} ({sign});"
            " run `xnovu db new-deployment` if the original is still in use,"
            " or `xnovu db keep-deployment` if this copy has replaced it"
        )


class TemporalError(XnovuError):
    """Temporal did not do what we asked."""

    code = "temporal_error"


class TemporalUnavailable(TemporalError):
    """Temporal does not answer; it may have done what we asked."""

    code = "temporal_unavailable"
    retryable = True

    def __init__(self, reason: str) -> None:
        super().__init__(f"Temporal: does not answer ({reason})")


class TemporalRefused(TemporalError):
    """Temporal answered, and refuses what we asked."""

    code = "temporal_refused"

    def __init__(self, reason: str, subject: str = "run") -> None:
        super().__init__(f"Temporal: refuses the {subject} ({reason})")


class ScheduleRefused(TemporalRefused):
    """Temporal refuses one schedule; the others are not affected."""

    code = "schedule_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason[:300], subject="schedule")


class ScheduleMissing(ScheduleRefused):
    """The schedule or the run does not exist."""

    code = "schedule_missing"

    def __init__(self) -> None:
        super().__init__("it does not exist")


class Unfinished(XnovuError):
    """An attempt is not complete; its next try continues where this try stopped.

    Attributes:
        pause: the shortest time until the next try.
    """

    code = "unfinished"
    retryable = True

    def __init__(self, count: int, pause: timedelta = timedelta(0)) -> None:
        super().__init__(f"delivery: {count} notifications are left for the next try")
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


class PayloadInvalid(XnovuError):
    """The payload breaks the workflow's schema."""

    code = "validation_error"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"payload: {path} {reason}")
        self.path = path
        self.reason = reason


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
    """A template cannot be used."""

    code = "template_error"


class TemplateMissing(TemplateError):
    """No published template of this key and channel exists."""

    code = "template_missing"

    def __init__(self, key: str, channel: str) -> None:
        super().__init__(f"template {key} ({channel}): none is published for this enterprise")


class TemplateUnsafe(TemplateError):
    """The template contains a construct that tenants may not write."""

    code = "template_unsafe"

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(f"template: line {line}, column {column}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason


class TemplateFailed(TemplateError):
    """A safe template could not be rendered with this payload."""

    code = "template_failed"

    def __init__(self, reason: str, line: int | None = None) -> None:
        where = "template: " if line is None else f"template: line {line}: "
        super().__init__(where + reason)
        self.line = line
        self.reason = reason


class NovuError(XnovuError):
    """Novu did not accept the notification, or may not have accepted it.

    Attributes:
        answered: Novu answered, and would repeat this answer if a call had the same idempotency key.
    """

    code = "novu_error"
    answered = True


class NovuUnavailable(NovuError):
    """Novu cannot serve now.

    Attributes:
        pause: how long Novu asks us to wait; None if it does not ask.
        unsure: the answer came from a gateway, which may have passed the call on; otherwise nothing was accepted.
    """

    code = "novu_unavailable"
    retryable = True

    def __init__(
        self, reason: str, pause: timedelta | None = None, *, answered: bool = True, unsure: bool = False
    ) -> None:
        super().__init__(f"Novu: cannot serve now ({reason})")
        self.pause = pause
        self.answered = answered
        self.unsure = unsure


class NovuThrottled(NovuError):
    """Novu asks for a pause; nothing was accepted."""

    code = "novu_throttled"
    retryable = True

    def __init__(self, pause: timedelta) -> None:
        super().__init__(f"Novu: asks for a pause of {pause.total_seconds():g} s")
        self.pause = pause


class NovuUnanswered(NovuError):
    """No reliable answer came back; Novu may have accepted the notification."""

    code = "novu_unanswered"
    retryable = True

    def __init__(self, reason: str, *, answered: bool = False) -> None:
        super().__init__(f"Novu: outcome unknown ({reason})")
        self.answered = answered


class NovuRejected(NovuError):
    """Novu answered, and refuses this notification."""

    code = "novu_rejected"

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"Novu: rejects it with {status} ({reason})")
        self.status = status
        self.reason = reason


class NovuUnauthorized(NovuError):
    """The key or the address is wrong; nothing can be sent until a person corrects it."""

    code = "novu_unauthorized"

    def __init__(self, status: int) -> None:
        super().__init__(f"Novu: answers {status}; check NOVU_SECRET_KEY and NOVU_API_URL")
        self.status = status
