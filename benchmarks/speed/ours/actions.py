"""The actions that Temporal would bill, counted in its histories."""

from collections.abc import Sequence

import psycopg
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from xnovu_poller.temporal import contract

SAMPLE = 100
"""Read this many histories; each needs a call."""

_CARRIED = "SELECT count(*) FROM notify.ent_notification WHERE temporal_workflow_id = ANY (%s)"


async def actions_per_notification(url: str, address: str) -> float:
    """Count the actions of some runs, and divide them by the number of their notifications."""
    client = await Client.connect(address)
    found: dict[str, int] = {}
    async for execution in client.list_workflows(f"WorkflowType = '{contract.WORKFLOW}'", limit=SAMPLE):
        history = await client.get_workflow_handle(execution.id).fetch_history()
        found[execution.id] = actions(history.events)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        row = await (await connection.execute(_CARRIED, [[*found]])).fetchone()
    assert row is not None  # noqa: S101 - an aggregate gives one row
    carried: int = row[0]
    return sum(found.values()) / carried


def actions(events: Sequence[HistoryEvent]) -> int:
    """Count the actions of a run: its start, each attempt of an activity, and each workflow task with local activities.

    A failed attempt leaves no event, but the event of the next attempt has its number. Source: Temporal, "Actions".
    """
    started = [event for event in events if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED]
    tasks_with_local = {
        event.marker_recorded_event_attributes.workflow_task_completed_event_id
        for event in events
        if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED
        and event.marker_recorded_event_attributes.marker_name == "core_local_activity"
    }
    attempts = sum(event.activity_task_started_event_attributes.attempt for event in started)
    return 1 + attempts + len(tasks_with_local)
