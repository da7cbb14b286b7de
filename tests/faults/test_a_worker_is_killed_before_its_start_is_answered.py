"""A worker is killed after Temporal has started its workflow, but before the answer arrives."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from temporalio.client import Client

from tests.support.deaths import HASTY, OFTEN, killed
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.proxy import LOOPBACK
from tests.support.rows import Db, a_notification, a_workflow, row
from tests.support.silent import silent_proxy
from tests.support.waiting import eventually
from tests.support.worker import running_worker


@only("single", because="the start of a group's workflow is answered like any other")
async def test_another_replica_carries_out_the_same_workflow(
    db: Db, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The lease lapses and is extended because the workflow is open: no second workflow starts.

    The order is certain because the proxy passes the start on to Temporal and keeps all answers.
    """
    temporal = worker_environment["TEMPORAL_ADDRESS"]
    client = await Client.connect(temporal)
    async with silent_proxy(f"tcp://{temporal}") as proxy:
        through = {**worker_environment, **HASTY, "TEMPORAL_ADDRESS": f"{LOOPBACK}:{proxy.port}"}
        with running_worker(tmp_path, "killed", **through) as worker:
            await asyncio.to_thread(worker.until_logged, "worker started")
            proxy.silence()
            made = a_notification(db, workflow=a_workflow(db))
            await eventually(lambda: row(db, made)["temporal_workflow_id"])
            name = row(db, made)["temporal_workflow_id"]

            async def started() -> bool:
                return (await client.count_workflows(f"WorkflowId = '{name}'")).count == 1

            await eventually(started)
            await asyncio.to_thread(killed, worker)
    assert novu_standin.stats()["calls"] == 0

    with running_worker(tmp_path, "second", **worker_environment, **OFTEN) as second:
        # Temporal gives the first task of the workflow to the dead worker, and takes it back after 11 s.
        await asyncio.to_thread(until_settled, db)
        extended = await asyncio.to_thread(second.lines, "leases lapsed")

    last = row(db, made)
    assert (last["notification_status"], last["attempt"]) == ("SENT", 1)
    assert (last["lapses"], last["failure_count"]) == (0, 0)
    assert extended
    assert {line["rescued"] for line in extended} == {0}
    assert_kept(db, novu_standin)
