"""Our errors as Temporal gets them, and Temporal's errors as ours."""

from datetime import timedelta

import pytest
from google.protobuf.any_pb2 import Any
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.enums.v1 import ResourceExhaustedCause
from temporalio.api.errordetails.v1 import ResourceExhaustedFailure
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller.errors import (
    ScheduleMissing,
    ScheduleRefused,
    StoreUnavailable,
    TemporalBusy,
    TemporalInsecure,
    TemporalRefused,
    TemporalUnavailable,
    Unfinished,
    WorkflowNotFound,
    XnovuError,
)
from xnovu_poller.temporal.translate import to_application_error, translate_rpc_error, translating

PAUSE = timedelta(seconds=7)


@pytest.mark.parametrize(
    ("error", "retryable", "pause", "category"),
    [
        (Unfinished(3, PAUSE), True, PAUSE, ApplicationErrorCategory.BENIGN),
        (Unfinished(3), True, None, ApplicationErrorCategory.BENIGN),
        (StoreUnavailable("x"), True, None, ApplicationErrorCategory.BENIGN),
        (WorkflowNotFound("k", "none"), False, None, ApplicationErrorCategory.UNSPECIFIED),
    ],
    ids=["paused", "unfinished", "store", "not found"],
)
def test_an_error_travels_as_code_and_sentence(
    error: XnovuError,
    pause: timedelta | None,
    category: ApplicationErrorCategory,
    *,
    retryable: bool,
) -> None:
    """The error decides whether another try makes sense."""
    translated = to_application_error(error)

    assert (translated.type, translated.message) == (error.code, str(error))
    assert translated.non_retryable is not retryable
    assert translated.next_retry_delay == pause
    assert translated.category is category
    assert not translated.details


async def test_the_cause_of_an_error_does_not_travel() -> None:
    """Raised `from None`, the failure converter finds nothing behind it."""
    failure = Failure()
    error = StoreUnavailable("x")
    error.__cause__ = ValueError("value-marker")

    await DataConverter.default.encode_failure(to_application_error(error), failure)

    assert "does not answer" in str(failure)
    assert "value-marker" not in str(failure)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (RPCStatusCode.NOT_FOUND, TemporalRefused),
        (RPCStatusCode.INVALID_ARGUMENT, TemporalRefused),
        (RPCStatusCode.PERMISSION_DENIED, TemporalRefused),
        (RPCStatusCode.UNAUTHENTICATED, TemporalRefused),
        (RPCStatusCode.FAILED_PRECONDITION, TemporalRefused),
        (RPCStatusCode.UNIMPLEMENTED, TemporalRefused),
        (RPCStatusCode.UNAVAILABLE, TemporalUnavailable),
        (RPCStatusCode.DEADLINE_EXCEEDED, TemporalUnavailable),
        (RPCStatusCode.CANCELLED, TemporalUnavailable),
        (RPCStatusCode.RESOURCE_EXHAUSTED, TemporalBusy),
        (RPCStatusCode.INTERNAL, TemporalUnavailable),
        (RPCStatusCode.UNKNOWN, TemporalUnavailable),
    ],
    ids=str,
)
def test_a_refusal_differs_from_no_answer(status: RPCStatusCode, kind: type[XnovuError]) -> None:
    """Only a definite answer is a refusal; the server's message does not appear."""
    translated = translate_rpc_error(RPCError("their message", status, b""), "ours")

    assert type(translated) is kind
    assert "their message" not in str(translated)


def test_a_limit_is_named() -> None:
    """The namespace's requests and an overloaded server need different cures."""
    cause = ResourceExhaustedFailure(cause=ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT)
    details = Any()
    details.Pack(cause)
    status = GrpcStatus(code=8, message="their message", details=[details])
    error = RPCError("their message", RPCStatusCode.RESOURCE_EXHAUSTED, status.SerializeToString())

    assert str(translate_rpc_error(error, "ours")) == (
        "Temporal: is at its limit (RPS_LIMIT); it is asked again, raise the limit if it lasts"
    )


def test_a_certificate_that_expires_meanwhile_is_named() -> None:
    """The SDK connects again by itself, and reports only that the server is away."""
    message = "tonic::transport::Error(Transport, ConnectError(InvalidCertificate(Expired)))"
    error = RPCError(message, RPCStatusCode.UNAVAILABLE, b"")

    assert type(translate_rpc_error(error, "ours")) is TemporalInsecure


def test_a_missing_namespace_is_named() -> None:
    """A person has to create it."""
    assert "namespace ours does not exist" in str(
        translate_rpc_error(RPCError("x", RPCStatusCode.NOT_FOUND, b""), "ours")
    )


@pytest.mark.parametrize("status", [RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION])
async def test_a_refused_schedule_has_the_servers_reason(status: RPCStatusCode) -> None:
    """The reason is the server's message, which contains only times and names; it is cut."""
    with pytest.raises(ScheduleRefused) as caught:
        async with translating("ours"):
            raise RPCError("unknown time zone" + "!" * 1000, status, b"")

    assert str(caught.value).startswith("Temporal: refuses the schedule (unknown time zone!")
    assert len(str(caught.value)) < 400
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (RPCStatusCode.NOT_FOUND, ScheduleMissing),
        (RPCStatusCode.PERMISSION_DENIED, TemporalRefused),
        (RPCStatusCode.RESOURCE_EXHAUSTED, TemporalBusy),
        (RPCStatusCode.UNAVAILABLE, TemporalUnavailable),
    ],
    ids=str,
)
async def test_a_refusal_of_one_schedule_differs_from_a_refusal_of_all(
    status: RPCStatusCode, kind: type[XnovuError]
) -> None:
    """The first does not stop the other schedules."""
    with pytest.raises(XnovuError) as caught:
        async with translating("ours"):
            raise RPCError("x", status, b"")

    assert type(caught.value) is kind
