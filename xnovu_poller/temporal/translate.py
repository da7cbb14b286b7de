"""Our errors in Temporal's language, and Temporal's in ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller.errors import (
    ScheduleMissing,
    ScheduleRefused,
    TemporalError,
    TemporalRefused,
    TemporalUnavailable,
    Unfinished,
    XnovuError,
)

_REFUSALS = {
    RPCStatusCode.INVALID_ARGUMENT: "it does not accept the request; are the search attributes registered?",
    RPCStatusCode.PERMISSION_DENIED: "this login may not; check the API key or the certificate",
    RPCStatusCode.UNAUTHENTICATED: "the login is unknown; check the API key or the certificate",
    RPCStatusCode.FAILED_PRECONDITION: "the namespace is not ready for it",
    RPCStatusCode.UNIMPLEMENTED: "this server is too old, or no Temporal",
}


_ONE_SCHEDULE = {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION}


def to_application_error(error: XnovuError) -> ApplicationError:
    """Say an error to Temporal: code and our own sentence alone.

    Raise it `from None`: Temporal would write the whole chain of causes, messages included, into history.
    """
    pause = error.pause if isinstance(error, Unfinished) and error.pause else None
    return ApplicationError(
        str(error),
        type=error.code,
        non_retryable=not error.retryable,
        next_retry_delay=pause,
        # The SDK logs other failures with a traceback; a next try is our usual way.
        category=ApplicationErrorCategory.BENIGN if error.retryable else ApplicationErrorCategory.UNSPECIFIED,
    )


def translate_rpc_error(error: RPCError, namespace: str) -> TemporalError:
    """Read why Temporal did not do what was asked."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return TemporalRefused(f"namespace {namespace} does not exist; create it, or set TEMPORAL_NAMESPACE")
    if error.status in _REFUSALS:
        return TemporalRefused(_REFUSALS[error.status])
    return TemporalUnavailable(error.status.name)


def is_missing_object(error: RPCError) -> bool:
    """Tell a missing workflow or schedule from a missing namespace: Temporal says NOT_FOUND of both."""
    if error.status is not RPCStatusCode.NOT_FOUND:
        return False
    kinds = {detail.type_url.rpartition("/")[2] for detail in error.grpc_status.details}
    return not any(kind.endswith("NamespaceNotFoundFailure") for kind in kinds)


@asynccontextmanager
async def translating(namespace: str) -> AsyncIterator[None]:
    """Say in our words why Temporal did not do what was asked of one schedule, or of one workflow.

    Its own words stay, where it refuses a schedule: they speak of times and names alone, and tell what to mend.

    Raises:
        ScheduleMissing: there is none.
        ScheduleRefused: it cannot be so.
        TemporalUnavailable: no answer; what was asked may have been done.
        TemporalRefused: nothing can be done in this namespace.
    """
    try:
        yield
    except RPCError as error:
        if is_missing_object(error):
            raise ScheduleMissing from error
        if error.status in _ONE_SCHEDULE:
            raise ScheduleRefused(error.message) from error
        raise translate_rpc_error(error, namespace) from error
