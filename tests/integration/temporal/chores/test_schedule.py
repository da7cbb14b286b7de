"""The schedule of the chores in a real Temporal: one for a deployment, paused by people alone."""

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
    """A start of a worker, and also new settings; and nothing is rung for while it lasts."""
    await make().ensure()
    made = (await handle.describe()).info
    await make().ensure()
    assert (await handle.describe()).info.last_updated_at == made.last_updated_at

    await handle.pause(note="until the move is done")
    orchestra = make(timedelta(minutes=2), f"{task_queue}-new")
    await orchestra.ensure()
    await orchestra.request_run()

    found = await handle.describe()
    action = found.schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert action.task_queue == f"{task_queue}-new"
    assert [one.every for one in found.schedule.spec.intervals] == [timedelta(minutes=2)]
    assert found.info.num_actions == 0
    state = await orchestra.read_state()
    assert (state.paused, state.note, state.next_at) == (True, "until the move is done", None)


async def test_a_pause_while_it_is_brought_up_to_date_survives(
    make: Make, client: Client, handle: ScheduleHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's comes between our look and our write: ours is dropped, and the next one writes."""
    await make().ensure()
    look = client.workflow_service.describe_schedule

    async def look_and_be_overtaken(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the SDK's
        found = await look(*args, **kwargs)
        monkeypatch.undo()
        await handle.pause(note="until the move is done")
        return found

    monkeypatch.setattr(client.workflow_service, "describe_schedule", look_and_be_overtaken)
    orchestra = make(timedelta(minutes=2))
    await orchestra.ensure()
    assert (await orchestra.read_state()).note == "until the move is done"

    await orchestra.ensure()
    found = (await handle.describe()).schedule
    assert (found.state.paused, found.state.note) == (True, "until the move is done")
    assert [one.every for one in found.spec.intervals] == [timedelta(minutes=2)]


async def test_one_more_waits_while_one_runs_and_none_is_made_up_for(
    make: Make, handle: ScheduleHandle
) -> None:
    """A change in the midst of a comparison is met by the next; what was missed, by whichever comes."""
    await make().ensure()
    assert (await handle.describe()).schedule.policy == SchedulePolicy(
        overlap=ScheduleOverlapPolicy.BUFFER_ONE, catchup_window=timedelta(seconds=10)
    )


async def test_somebody_elses_schedule_of_that_name_is_left_alone(
    make: Make, client: Client, handle: ScheduleHandle
) -> None:
    """Two deployments whose short names are the same, or a person's own."""
    action = ScheduleActionStartWorkflow("Theirs", id="theirs", task_queue="theirs")
    await client.create_schedule(handle.id, Schedule(action=action, spec=ScheduleSpec()))

    with pytest.raises(ScheduleRefused, match="somebody else's"):
        await make().ensure()
    assert (await handle.describe()).info.last_updated_at is None


async def test_an_orchestration_that_is_not_there_is_told(make: Make) -> None:
    """Whoever conducts it makes it anew."""
    with pytest.raises(ScheduleMissing):
        await make().request_run()
    with pytest.raises(ScheduleMissing):
        await make().read_state()


async def test_the_interval_is_whole_seconds_and_one_at_least(make: Make, handle: ScheduleHandle) -> None:
    """Temporal knows no shorter one."""
    await make(timedelta(milliseconds=200)).ensure()
    assert [one.every for one in (await handle.describe()).schedule.spec.intervals] == [timedelta(seconds=1)]
