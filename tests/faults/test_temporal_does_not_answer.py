"""Temporal accepts connections but answers none, for longer than a lease: no workflow starts twice."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.support.disaster import (
    LAPSED,
    SOON,
    assert_nobody_died,
    assert_unharmed,
    due,
    send_under_way,
    sent,
    wait_until_unhealthy,
)
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.proxy import proxied
from tests.support.rows import Db, a_workflow
from tests.support.waiting import eventually
from tests.support.worker import running_worker
from xnovu_poller.dev.ports import LOOPBACK

Environment = Mapping[str, str]


@only("single", because="the test of a killed Temporal covers groups")
async def test_rows_wait_for_its_answer(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The send under way is recorded meanwhile; the rest goes on when Temporal answers again."""
    in_thread = asyncio.to_thread
    async with proxied(f"tcp://{worker_environment['TEMPORAL_ADDRESS']}") as proxy:
        environment = {**worker_environment, **SOON, "TEMPORAL_ADDRESS": f"{LOOPBACK}:{proxy.port}"}
        with running_worker(tmp_path, **environment) as worker:
            workflow = a_workflow(db)
            await in_thread(sent, db, due(db, workflow))
            begun = await in_thread(send_under_way, db, workflow, novu_standin)
            proxy.hang()
            await in_thread(novu_standin.clear_faults)
            await in_thread(sent, db, begun)
            meanwhile = due(db, workflow)
            await in_thread(wait_until_unhealthy, worker, "temporal", "no answer within 2 s")
            await eventually(lambda: db.execute(LAPSED, [meanwhile]).rowcount)
            proxy.mend()
            due(db, workflow)
            await in_thread(assert_unharmed, db, novu_standin, worker)
            assert_nobody_died(db)
