"""What an application may catch; each error states the problem in a sentence, and how to mend it.

```
ClientError                 .code: its name in logs   .retryable: whether the same call may succeed later
├── NotificationRefused     the notification breaks a rule; nothing was written
│   ├── WorkflowUnknown     the enterprise has no workflow of this key
│   └── DuplicateRefused    the dedup_key is that of another notification
├── AccessRefused           the login or the key may not do this
├── TransactionMissing      the connection commits each statement by itself; nothing was written
└── ApiUnavailable          the API did not serve the call, however often it was tried         retryable
```

No sentence has a part of a payload. What PostgreSQL itself reports (a lost connection, a serialization failure, a deadlock) stays
the error of your driver: your transaction has to deal with it anyway.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from xnovu_poller.errors import XnovuError


class ClientError(XnovuError):
    """A notification was not enqueued.

    Attributes:
        hint: what to do about it; it is a part of the sentence too. None: nothing is known.
    """

    code: ClassVar[str] = "client_error"

    def __init__(self, sentence: str, hint: str | None = None) -> None:
        super().__init__(f"{sentence}; {hint}" if hint else sentence)
        self.hint = hint


class NotificationRefused(ClientError):
    """The notification breaks a rule; nothing was written."""

    code = "notification_refused"


class WorkflowUnknown(NotificationRefused):
    """The enterprise has no workflow of this key, and there is no global workflow with it."""

    code = "workflow_unknown"


class DuplicateRefused(NotificationRefused):
    """The dedup_key is that of a notification with another workflow, payload or other recipients."""

    code = "duplicate_refused"


class AccessRefused(ClientError):
    """The login or the key may not do this."""

    code = "access_refused"


class TransactionMissing(ClientError):
    """The connection commits each statement by itself, so a notification could not belong to your own work."""

    code = "transaction_missing"

    def __init__(self) -> None:
        super().__init__(
            "connection: it is in autocommit mode and has no transaction",
            "begin the transaction of your own work first, and enqueue inside it",
        )


class ApiUnavailable(ClientError):
    """The API did not serve the call, however often it was tried.

    The notification may have been written: call again with the same `dedup_key`, and it is written once.

    Attributes:
        pause: how many seconds the API asks to wait; 0: it does not ask.
    """

    code = "api_unavailable"
    retryable = True

    def __init__(self, reason: str, tries: int, pause: float) -> None:
        after = f" in {pause:.0f} s" if pause else ""
        super().__init__(f"API: {reason}, after {tries} tries", f"call again with the same dedup_key{after}")
        self.pause = pause


_BY_STATE: dict[str, type[ClientError]] = {
    "23503": WorkflowUnknown,
    "23505": DuplicateRefused,
    "42501": AccessRefused,
}
"""Our errors by the SQLSTATE of PostgreSQL. Source: "PostgreSQL Error Codes"."""

_REFUSALS = ("22", "23")
"""The classes of states that refuse values: data exceptions and broken constraints."""


_BY_CODE: dict[str, type[ClientError]] = {
    "workflow_unknown": WorkflowUnknown,
    "dedup_key_taken": DuplicateRefused,
    "unauthorized": AccessRefused,
    "forbidden": AccessRefused,
}
"""Our errors by the codes of the API's problems."""

_REFUSED = (400, 413, 422)
"""The statuses that refuse the content of a request."""


def of_problem(status: int, problem: Mapping[str, Any]) -> ClientError:
    """Return our error for an answer of the API.

    Args:
        status: of HTTP.
        problem: the answer, as RFC 9457 has it; empty: it was something else.
    """
    if "code" not in problem:
        return ClientError(f"API: answers {status}, and not as our API does", "check the address of the API")
    kind = _BY_CODE.get(str(problem["code"]), NotificationRefused if status in _REFUSED else ClientError)
    if problem.get("detail"):
        return kind(f"API: {problem['detail']}")
    broken = [f"{each.get('pointer')} {each.get('detail')}" for each in problem.get("errors", ())]
    return kind(f"API: {'; '.join(broken) or problem.get('title')}")


def of_database(error: Exception) -> ClientError | None:
    """Return our error for a refusal by PostgreSQL; None if the driver's own error has to go on.

    Args:
        error: an error of psycopg, or of SQLAlchemy or Django with the driver's error in it.
    """
    found = (getattr(each, "diag", None) for each in (error, getattr(error, "orig", None), error.__cause__))
    diagnosis: Any = next((each for each in found if each is not None), None)
    state = getattr(diagnosis, "sqlstate", None)
    if state is None:
        return None
    kind = _BY_STATE.get(state, NotificationRefused if state[:2] in _REFUSALS else None)
    return None if kind is None else kind(diagnosis.message_primary, diagnosis.message_hint)
