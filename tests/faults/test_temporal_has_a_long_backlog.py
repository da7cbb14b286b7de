"""All workers die, and their workflows wait in Temporal for longer than the lease."""

from collections.abc import Mapping
from pathlib import Path

from temporalio.client import Client

from tests.support.deaths import HASTY, OFTEN, PATIENT, given_up, killed
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, back_dated, row
from tests.support.waiting import eventually, wait_until
from tests.support.worker import running_worker

Environment = Mapping[str, str]

BUSY = {**PATIENT, "TEMPORAL_MAX_CONCURRENT_WORKFLOWS": "2"}
"""Two workflows keep such a worker busy: further workflows wait in Temporal."""


async def a_backlog(db: Db, environment: Environment, standin: NovuStandIn, tmp_path: Path) -> list[int]:
    """Leave notifications that are handed off but not begun, with all workers dead and all leases lapsed."""
    workflow = a_workflow(db)
    standin.fault("slow", seconds=60, times=None)
    with running_worker(tmp_path, "killed", **{**environment, **HASTY, **BUSY}) as worker:
        busy = [a_notification(db, workflow=workflow) for _ in range(2)]
        wait_until(lambda: standin.stats()["calls"] == 1)
        wait_until(lambda: worker.metric("xnovu_handoffs_total") == 2)
        made = [a_notification(db, workflow=workflow) for _ in range(5)]
        wait_until(lambda: worker.metric("xnovu_handoffs_total") == 7)
        killed(worker)
    standin.clear_faults()
    await given_up(db, environment["TEMPORAL_ADDRESS"], *busy)
    for notification_id in made:
        back_dated(db, notification_id)
    return made


@only("single", because="Temporal is asked about a group's workflow as about any other")
async def test_it_is_carried_out_and_no_second_workflow_is_started(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Leases are extended as long as the workflows are open, and no attempt is counted.

    The order is certain: first a replica on another queue, which can only rescue; then a replica on theirs.
    """
    made = await a_backlog(db, worker_environment, novu_standin, tmp_path)
    ids = [row(db, notification_id)["temporal_workflow_id"] for notification_id in made]
    elsewhere = {"TEMPORAL_TASK_QUEUE": f"{worker_environment['TEMPORAL_TASK_QUEUE']}-elsewhere"}
    with running_worker(tmp_path, "elsewhere", **{**worker_environment, **HASTY, **elsewhere}) as rescuer:
        wait_until(lambda: sum(line["extended"] for line in rescuer.lines("leases lapsed")) >= len(made))
        assert {row(db, notification_id)["notification_status"] for notification_id in made} == {"PROCESSING"}
        with running_worker(tmp_path, "second", **worker_environment, **OFTEN):
            until_settled(db)

    ended = [row(db, notification_id) for notification_id in made]
    assert {(found["notification_status"], found["attempt"], found["lapses"]) for found in ended} == {
        ("SENT", 1, 0)
    }
    assert [found["temporal_workflow_id"] for found in ended] == ids
    client = await Client.connect(worker_environment["TEMPORAL_ADDRESS"])
    named = ", ".join(f"'{run_id}'" for run_id in ids)

    async def counted() -> bool:
        return (await client.count_workflows(f"WorkflowId IN ({named})")).count == len(made)

    await eventually(counted)
    assert_kept(db, novu_standin)
