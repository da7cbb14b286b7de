"""The errors of Temporal."""

from xnovu_poller.errors.base import XnovuError


class TemporalError(XnovuError):
    """Temporal did not do what we asked."""

    code = "temporal_error"


class TemporalUnavailable(TemporalError):
    """Temporal does not answer; it may have done what we asked."""

    code = "temporal_unavailable"
    retryable = True

    def __init__(self, reason: str) -> None:
        super().__init__(f"Temporal: does not answer ({reason})")


class TemporalInsecure(TemporalUnavailable):
    """No TLS connection can be made until a person corrects something; nothing was asked."""

    code = "temporal_insecure"

    def __init__(self, fault: str) -> None:
        TemporalError.__init__(self, f"Temporal: no TLS connection ({fault})")


class TemporalBusy(TemporalUnavailable):
    """Temporal answers that it is at a limit; it did not do what we asked."""

    code = "temporal_busy"

    def __init__(self, limit: str) -> None:
        TemporalError.__init__(
            self, f"Temporal: is at its limit ({limit}); it is asked again, raise the limit if it lasts"
        )


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
