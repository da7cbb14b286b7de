"""Somebody terminates a workflow in Temporal before a worker has begun it."""

from collections.abc import Mapping
from pathlib import Path

from temporalio.client import Client, WorkflowExecutionStatus

from tests.support.deaths import HASTY, PATIENT
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.rows import Db, a_notification, a_workflow, back_dated, row
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

BUSY = {**PATIENT, "TEMPORAL_MAX_CONCURRENT_WORKFLOWS": "2"}
"""Two workflows keep such a worker busy: further workflows wait in Temporal."""


@only("single", because="no worker has begun it, so its size does not matter")
async def test_its_row_is_claimed_again(
    db: Db, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The row waits only for its lease, and nothing counts against it; its neighbours are not affected.

    The order is certain because two other workflows keep the worker busy until its lease is over.
    """
    client = await Client.connect(worker_environment["TEMPORAL_ADDRESS"])
    novu_standin.fault("slow", seconds=60, times=None)
    workflow = a_workflow(db)
    with running_worker(tmp_path, **{**worker_environment, **HASTY, **BUSY}) as worker:
        neighbours = [a_notification(db, workflow=workflow) for _ in range(2)]
        wait_until(lambda: novu_standin.stats()["calls"] == 1)
        wait_until(lambda: worker.metric("xnovu_handoffs_total") == 2)
        made = a_notification(db, workflow=workflow)
        wait_until(lambda: worker.metric("xnovu_handoffs_total") == 3)
        handle = client.get_workflow_handle(row(db, made)["temporal_workflow_id"])
        await handle.terminate("by hand")
        back_dated(db, made)
        wait_until(lambda: row(db, made)["attempt"] == 2)
        novu_standin.clear_faults()
        until_settled(db)
        assert worker.stop() == 0

    assert (await handle.describe()).status is WorkflowExecutionStatus.TERMINATED
    last = row(db, made)
    assert (last["notification_status"], last["lapses"], last["failure_count"]) == ("SENT", 0, 0)
    assert [row(db, notification_id)["attempt"] for notification_id in neighbours] == [1, 1]
    assert novu_standin.stats()["calls"] == 3
    assert_kept(db, novu_standin)
