"""A worker is killed between its claim and the start of the workflow."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.support.deaths import HASTY, OFTEN, killed
from tests.support.modes import Mode, in_every_mode, together
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.proxy import LOOPBACK, proxied
from tests.support.rows import Db, a_workflow, row
from tests.support.waiting import eventually
from tests.support.worker import running_worker


@in_every_mode
async def test_another_replica_claims_it_again(
    db: Db, mode: Mode, worker_environment: Mapping[str, str], novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The lease lapses, Temporal does not know the workflow, and nothing counts against the row.

    The order is certain because a proxy holds back the worker's calls to Temporal until the worker is dead.
    """
    temporal = worker_environment["TEMPORAL_ADDRESS"]
    async with proxied(f"tcp://{temporal}") as proxy:
        through = {**worker_environment, **HASTY, "TEMPORAL_ADDRESS": f"{LOOPBACK}:{proxy.port}"}
        with running_worker(tmp_path, "killed", **through) as worker:
            await asyncio.to_thread(worker.until_logged, "worker started")
            proxy.hang()
            made = together(db, mode, a_workflow(db))
            await eventually(
                lambda: all(
                    row(db, notification_id)["notification_status"] == "PROCESSING"
                    for notification_id in made
                )
            )
            await asyncio.to_thread(killed, worker)
    first = [row(db, notification_id) for notification_id in made]

    with running_worker(tmp_path, "second", **worker_environment, **OFTEN):
        await asyncio.to_thread(until_settled, db)

    assert len({found["temporal_workflow_id"] for found in first}) == 1
    for notification_id in made:
        last = row(db, notification_id)
        assert (last["notification_status"], last["attempt"]) == ("SENT", first[0]["attempt"] + 1)
        assert (last["lapses"], last["failure_count"], last["unknown_outcomes"]) == (0, 0, 0)
    client = await Client.connect(temporal)
    with pytest.raises(RPCError) as caught:
        await client.get_workflow_handle(first[0]["temporal_workflow_id"]).describe()
    assert caught.value.status is RPCStatusCode.NOT_FOUND
    assert_kept(db, novu_standin)
