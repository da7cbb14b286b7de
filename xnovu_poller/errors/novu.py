"""The errors of Novu, and of what stands in front of it."""

from datetime import timedelta

from xnovu_poller.errors.base import XnovuError


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


class WorkflowRefused(NovuError):
    """Novu refuses to write, read or publish a workflow.

    Args:
        subject: `workflow KEY`, or what else was asked.
        reason: Novu's own message, without line breaks.
    """

    code = "workflow_refused"

    def __init__(self, subject: str, status: int, reason: str) -> None:
        super().__init__(f"{subject}: Novu answers {status} ({reason})")
        self.status = status


class NovuUnauthorized(NovuError):
    """Novu does not accept the key; nothing can be sent until a person corrects it."""

    code = "novu_unauthorized"

    def __init__(self, status: int) -> None:
        super().__init__(f"Novu: answers {status}; check NOVU_SECRET_KEY and NOVU_API_URL")
        self.status = status


_ADVICE = {
    400: "check NOVU_API_URL, above all http:// or https://",
    401: "it asks for a login; check NOVU_API_URL",
    403: "does a firewall forbid what the notification contains?",
    407: "the proxy asks for a login; check HTTPS_PROXY",
    413: "raise its limit for the size of a body",
    429: "ask its operator for a higher limit",
    451: "does a firewall forbid what the notification contains?",
}
"""What to do about a refusal of something in front of Novu, by its status."""


class NovuBlocked(NovuError):
    """The answer is not Novu's own: a proxy, a firewall or another server refused the call."""

    code = "novu_blocked"
    retryable = True

    def __init__(self, status: int) -> None:
        redirects = 300 <= status < 400  # noqa: PLR2004 - the redirects of HTTP
        other = "write the address that it leads to in NOVU_API_URL" if redirects else "check NOVU_API_URL"
        super().__init__(f"Novu: something in front of it answers {status}; {_ADVICE.get(status, other)}")
        self.status = status
