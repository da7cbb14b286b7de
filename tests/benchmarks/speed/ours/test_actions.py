from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    ActivityTaskStartedEventAttributes,
    HistoryEvent,
    MarkerRecordedEventAttributes,
)

from benchmarks.speed.ours.actions import actions

START = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
END = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)


def local_activity(task: int) -> HistoryEvent:
    """Return the marker of a local activity, with the workflow task that ran it."""
    return HistoryEvent(
        event_type=EventType.EVENT_TYPE_MARKER_RECORDED,
        marker_recorded_event_attributes=MarkerRecordedEventAttributes(
            marker_name="core_local_activity", workflow_task_completed_event_id=task
        ),
    )


def activity(attempt: int) -> HistoryEvent:
    """Return the start of a regular activity's last attempt."""
    return HistoryEvent(
        event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
        activity_task_started_event_attributes=ActivityTaskStartedEventAttributes(attempt=attempt),
    )


def test_a_run_that_does_nothing_is_one_action() -> None:
    """Temporal bills its start."""
    assert actions([START, END]) == 1


def test_local_activities_of_one_workflow_task_are_one_action() -> None:
    """Local activities of another task are another action."""
    assert actions([START, local_activity(4), local_activity(4), END]) == 2
    assert actions([START, local_activity(4), local_activity(9), END]) == 3


def test_each_attempt_of_an_activity_is_an_action() -> None:
    """Attempts that left no event count too."""
    assert actions([START, activity(1), activity(3), END]) == 5
