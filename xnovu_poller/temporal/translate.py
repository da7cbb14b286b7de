"""Translate our errors for Temporal, and Temporal's into ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.api.enums.v1 import ResourceExhaustedCause
from temporalio.api.errordetails.v1 import ResourceExhaustedFailure
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller.errors import (
    ScheduleMissing,
    ScheduleRefused,
    TemporalBusy,
    TemporalError,
    TemporalInsecure,
    TemporalRefused,
    TemporalUnavailable,
    Unfinished,
    XnovuError,
)
from xnovu_poller.temporal.connection_faults import find_tls_fault

_REFUSALS = {
    RPCStatusCode.INVALID_ARGUMENT: "it does not accept the request; check that the search attributes are registered",
    RPCStatusCode.PERMISSION_DENIED: "this login is not allowed to; check the API key or the certificate",
    RPCStatusCode.UNAUTHENTICATED: "the login is unknown; check the API key or the certificate",
    RPCStatusCode.FAILED_PRECONDITION: "the namespace is not ready for it; check its state",
    RPCStatusCode.UNIMPLEMENTED: "this server is too old, or is not Temporal; check TEMPORAL_ADDRESS",
}

_ONE_SCHEDULE = {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION}
"""The answers to a call about a schedule that concern only this schedule."""


def to_application_error(error: XnovuError) -> ApplicationError:
    """Return the error for Temporal: our code and our sentence, nothing else.

    Raise it `from None`: otherwise Temporal writes the whole chain of causes, with their messages, into the history.
    """
    pause = error.pause if isinstance(error, Unfinished) and error.pause else None
    return ApplicationError(
        str(error),
        type=error.code,
        non_retryable=not error.retryable,
        next_retry_delay=pause,
        # The SDK logs other failures with a traceback, but another try is normal for us.
        category=ApplicationErrorCategory.BENIGN if error.retryable else ApplicationErrorCategory.UNSPECIFIED,
    )


def translate_rpc_error(error: RPCError, namespace: str) -> TemporalError:
    """Return our error for a failed call to Temporal."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return TemporalRefused(f"namespace {namespace} does not exist; create it, or set TEMPORAL_NAMESPACE")
    if error.status in _REFUSALS:
        return TemporalRefused(_REFUSALS[error.status])
    if error.status is RPCStatusCode.RESOURCE_EXHAUSTED:
        return TemporalBusy(_name_limit(error))
    if fault := find_tls_fault(error.message):
        return TemporalInsecure(fault)
    return TemporalUnavailable(error.status.name)


def _name_limit(error: RPCError) -> str:
    """Return Temporal's name of the limit, such as RPS_LIMIT, or at least of the status."""
    cause = ResourceExhaustedFailure()
    for detail in error.grpc_status.details:
        if detail.Unpack(cause) and cause.cause:
            return ResourceExhaustedCause.Name(cause.cause).removeprefix("RESOURCE_EXHAUSTED_CAUSE_")
    return error.status.name


def is_missing_object(error: RPCError) -> bool:
    """Return whether a run or a schedule is missing, and not the namespace: both are NOT_FOUND for Temporal."""
    if error.status is not RPCStatusCode.NOT_FOUND:
        return False
    kinds = {detail.type_url.rpartition("/")[2] for detail in error.grpc_status.details}
    return not any(kind.endswith("NamespaceNotFoundFailure") for kind in kinds)


@asynccontextmanager
async def translating(namespace: str) -> AsyncIterator[None]:
    """Translate the errors of calls about one schedule or one run.

    If Temporal refuses a schedule, its own message is kept: it contains only times and names, and explains what to
    repair.

    Raises:
        ScheduleMissing: the schedule or the run does not exist.
        ScheduleRefused: Temporal refuses this schedule.
        TemporalUnavailable: no answer; the call may have taken effect.
        TemporalRefused: Temporal refuses all calls in this namespace.
    """
    try:
        yield
    except RPCError as error:
        if is_missing_object(error):
            raise ScheduleMissing from error
        if error.status in _ONE_SCHEDULE:
            raise ScheduleRefused(error.message) from error
        raise translate_rpc_error(error, namespace) from error
