"""Temporal takes every connection and answers none, for longer than a lease: what it did hear is not started twice."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.support.disaster import (
    LAPSED,
    SOON,
    assert_nobody_died,
    assert_unharmed,
    due,
    said,
    send_under_way,
    sent,
)
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.proxy import proxied
from tests.support.rows import Db, a_workflow
from tests.support.waiting import eventually
from tests.support.worker import running_worker
from xnovu_poller.dev.ports import LOOPBACK

Told = Mapping[str, str]


@only("single", because="for groups, Temporal that is away is enough")
async def test_rows_wait_for_its_answer(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The send under way is recorded without it; the rest goes on with what was held back."""
    away = asyncio.to_thread
    async with proxied(f"tcp://{worker_environment['TEMPORAL_ADDRESS']}") as proxy:
        told = {**worker_environment, **SOON, "TEMPORAL_ADDRESS": f"{LOOPBACK}:{proxy.port}"}
        with running_worker(tmp_path, **told) as worker:
            workflow = a_workflow(db)
            await away(sent, db, due(db, workflow))
            begun = await away(send_under_way, db, workflow, novu_standin)
            proxy.hang()
            await away(novu_standin.clear_faults)
            await away(sent, db, begun)
            meanwhile = due(db, workflow)
            await away(said, worker, "temporal", "no answer within 2 s")
            await eventually(lambda: db.execute(LAPSED, [meanwhile]).rowcount)
            proxy.mend()
            due(db, workflow)
            await away(assert_unharmed, db, novu_standin, worker)
            assert_nobody_died(db)
