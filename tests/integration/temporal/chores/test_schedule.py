"""The schedule of the chores in a real Temporal: there is one per deployment, and only people pause it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from tests.integration.temporal.conftest import Make
from xnovu_poller.errors import ScheduleMissing, ScheduleRefused


async def test_a_persons_pause_and_note_survive(make: Make, handle: ScheduleHandle, task_queue: str) -> None:
    """They survive a start of a worker and new settings; no run is requested meanwhile."""
    await make().ensure()
    made = (await handle.describe()).info
    await make().ensure()
    assert (await handle.describe()).info.last_updated_at == made.last_updated_at

    await handle.pause(note="until the move is done")
    schedule = make(timedelta(minutes=2), f"{task_queue}-new")
    await schedule.ensure()
    await schedule.request_run()

    found = await handle.describe()
    action = found.schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert action.task_queue == f"{task_queue}-new"
    assert [interval.every for interval in found.schedule.spec.intervals] == [timedelta(minutes=2)]
    assert found.info.num_actions == 0
    state = await schedule.read_state()
    assert (state.paused, state.note, state.next_at) == (True, "until the move is done", None)


async def test_a_pause_while_it_is_brought_up_to_date_survives(
    make: Make, client: Client, handle: ScheduleHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person pauses between our read and our write: our update is dropped, and the next update succeeds."""
    await make().ensure()
    describe = client.workflow_service.describe_schedule

    async def describe_before_a_pause(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the SDK's
        found = await describe(*args, **kwargs)
        monkeypatch.undo()
        await handle.pause(note="until the move is done")
        return found

    monkeypatch.setattr(client.workflow_service, "describe_schedule", describe_before_a_pause)
    schedule = make(timedelta(minutes=2))
    await schedule.ensure()
    assert (await schedule.read_state()).note == "until the move is done"

    await schedule.ensure()
    found = (await handle.describe()).schedule
    assert (found.state.paused, found.state.note) == (True, "until the move is done")
    assert [interval.every for interval in found.spec.intervals] == [timedelta(minutes=2)]


async def test_the_runs_synchronise_workflows_if_they_should(make: Make, handle: ScheduleHandle) -> None:
    """The setting may change: the schedule follows it, and is not updated again and again."""
    updates = []
    for workflows in (True, False, False):
        await make(workflows=workflows).ensure()
        found = await handle.describe()
        action = found.schedule.action
        assert isinstance(action, ScheduleActionStartWorkflow)
        assert json.loads(action.args[0].data)["workflows"] is workflows
        updates.append(found.info.last_updated_at)
    assert updates[1] == updates[2] != updates[0]


async def test_a_run_waits_for_the_open_run_and_missed_runs_are_dropped(
    make: Make, handle: ScheduleHandle
) -> None:
    """The next run sees a change during a run, and makes up for missed runs."""
    await make().ensure()
    assert (await handle.describe()).schedule.policy == SchedulePolicy(
        overlap=ScheduleOverlapPolicy.BUFFER_ONE, catchup_window=timedelta(seconds=10)
    )


async def test_a_foreign_schedule_of_the_same_id_is_not_changed(
    make: Make, client: Client, handle: ScheduleHandle
) -> None:
    """It may belong to a deployment with the same short name, or to a person."""
    action = ScheduleActionStartWorkflow("Theirs", id="theirs", task_queue="theirs")
    await client.create_schedule(handle.id, Schedule(action=action, spec=ScheduleSpec()))

    with pytest.raises(ScheduleRefused, match="is not ours"):
        await make().ensure()
    assert (await handle.describe()).info.last_updated_at is None


async def test_a_missing_schedule_is_an_error(make: Make) -> None:
    """The keeper creates it again."""
    with pytest.raises(ScheduleMissing):
        await make().request_run()
    with pytest.raises(ScheduleMissing):
        await make().read_state()


async def test_the_interval_is_in_whole_seconds_and_at_least_one(make: Make, handle: ScheduleHandle) -> None:
    """Temporal has no shorter interval."""
    await make(timedelta(milliseconds=200)).ensure()
    assert [interval.every for interval in (await handle.describe()).schedule.spec.intervals] == [
        timedelta(seconds=1)
    ]
