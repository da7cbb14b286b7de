"""Read from Temporal what it knows of a run: who started it, its tries, and how it ended."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType, WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client
from temporalio.service import RPCError

from xnovu_poller.temporal import contract
from xnovu_poller.temporal.translate import is_missing_object, translate_rpc_error

_PATIENCE = timedelta(seconds=5)

MOST_EVENTS = 200
"""Read this many events of a history at most; a run of ours has less than forty."""

_LOCAL_ACTIVITY = "core_local_activity"
"""The name of the SDK's markers for local activities."""

_STATES = {
    getattr(WorkflowExecutionStatus, f"WORKFLOW_EXECUTION_STATUS_{name}"): name
    for name in (
        "RUNNING",
        "COMPLETED",
        "FAILED",
        "CANCELED",
        "TERMINATED",
        "CONTINUED_AS_NEW",
        "TIMED_OUT",
        "PAUSED",
    )
}


@dataclass(frozen=True, slots=True)
class Try:
    """A try of a run.

    Attributes:
        local: it was a local activity, of which Temporal records only the end.
        worker: the process that made it; None if Temporal does not know it.
        ended_at: None while it runs.
        error: how it failed; None if it did not.
    """

    local: bool
    began_at: datetime | None
    worker: str | None
    ended_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as Temporal remembers it.

    Attributes:
        state: Temporal's word, such as RUNNING or TIMED_OUT.
        notifications: how many notifications share it; None if its input cannot be read.
        started_by: the process that claimed its notifications.
        error: how it failed; None if it did not.
    """

    state: str
    notifications: int | None
    started_at: datetime
    started_by: str
    closed_at: datetime | None
    tries: list[Try]
    error: str | None = None


async def read_run(client: Client, run_id: str) -> Run | None:
    """Read a run; return None if Temporal has none of this id, or has forgotten it.

    Raises:
        TemporalError: no answer, or not about the run.
    """
    handle = client.get_workflow_handle(run_id)
    try:
        description = await handle.describe(rpc_timeout=_PATIENCE)
        events = [
            event async for event in handle.fetch_history_events(page_size=MOST_EVENTS, rpc_timeout=_PATIENCE)
        ]
    except RPCError as error:
        if is_missing_object(error):
            return None
        raise translate_rpc_error(error, client.namespace) from error
    started = events[0].workflow_execution_started_event_attributes
    info = description.raw_description.workflow_execution_info
    return Run(
        state=_STATES.get(info.status, "UNKNOWN"),
        notifications=await _count(client, started.input.payloads),
        started_at=description.start_time,
        started_by=started.identity,
        closed_at=description.close_time,
        tries=[
            *_local_tries(events),
            *_regular_tries(events),
            *_pending(description.raw_description.pending_activities),
        ],
        error=_error_of_end(events[-1]),
    )


async def _count(client: Client, payloads: Any) -> int | None:  # noqa: ANN401 - protobuf's containers have no public type
    try:
        [delivery] = await client.data_converter.decode(payloads, [contract.DeliverInput])
        return len(delivery.read_attempts())
    except Exception:  # noqa: BLE001 - the input of an unknown version; the story goes on without the number
        return None


def _local_tries(events: Iterable[Any]) -> Iterator[Try]:
    """Yield the local tries: Temporal records the end of each beside the workflow task that made it."""
    worker: str | None = None
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            worker = event.workflow_task_completed_event_attributes.identity
        elif event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            marker = event.marker_recorded_event_attributes
            if marker.marker_name == _LOCAL_ACTIVITY:
                failure = marker.failure if marker.HasField("failure") else None
                yield Try(
                    local=True,
                    began_at=None,
                    worker=worker,
                    ended_at=_moment(event),
                    error=_sentence(failure),
                )


def _regular_tries(events: Iterable[Any]) -> Iterator[Try]:
    """Yield the regular tries that have ended; `record_lost_contact` sends nothing, so it is none."""
    deliveries: set[int] = set()
    begun: dict[int, Try] = {}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            if event.activity_task_scheduled_event_attributes.activity_type.name == contract.DELIVER:
                deliveries.add(event.event_id)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            begun[started.scheduled_event_id] = Try(
                local=False, began_at=_moment(event), worker=started.identity
            )
        elif (ended := _end_of_activity(event)) is not None and ended[0] in deliveries & begun.keys():
            yield replace(begun[ended[0]], ended_at=_moment(event), error=ended[1])


def _end_of_activity(event: Any) -> tuple[int, str | None] | None:  # noqa: ANN401 - protobuf's events share no type
    """Return which activity an event ends, and how it failed."""
    match event.event_type:
        case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            return event.activity_task_completed_event_attributes.scheduled_event_id, None
        case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
            attributes = event.activity_task_failed_event_attributes
        case EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
            attributes = event.activity_task_timed_out_event_attributes
        case _:
            return None
    return attributes.scheduled_event_id, _sentence(attributes.failure)


def _pending(activities: Iterable[Any]) -> list[Try]:
    """Return the tries that run or wait."""
    return [
        Try(
            local=False,
            began_at=_utc(activity.last_started_time) if activity.HasField("last_started_time") else None,
            worker=activity.last_worker_identity or None,
            error=_sentence(activity.last_failure if activity.HasField("last_failure") else None),
        )
        for activity in activities
        if activity.activity_type.name == contract.DELIVER
    ]


def _error_of_end(event: Any) -> str | None:  # noqa: ANN401 - protobuf's events share no type
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
            return _sentence(event.workflow_execution_failed_event_attributes.failure)
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            attributes = event.workflow_execution_terminated_event_attributes
            return f"terminated by {attributes.identity or 'somebody'}"
        case _:
            return None


def _sentence(failure: Failure | None) -> str | None:
    """Return the innermost sentence of a failure: the outer failures only name the activity."""
    if failure is None:
        return None
    while failure.HasField("cause"):
        failure = failure.cause
    code = failure.application_failure_info.type
    return f"{code}: {failure.message}" if code else failure.message


def _moment(event: Any) -> datetime:  # noqa: ANN401 - protobuf's events share no type
    return _utc(event.event_time)


def _utc(stamp: Any) -> datetime:  # noqa: ANN401 - protobuf's times have no public type
    at: datetime = stamp.ToDatetime(tzinfo=UTC)
    return at
