"""PostgreSQL does not answer while a worker stops: the stop keeps its promised time, and nothing is lost."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.support.disaster import due, send_under_way, sent
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.promise import assert_kept, until_settled
from tests.support.proxy import proxied
from tests.support.rows import Db, a_workflow
from tests.support.waiting import eventually
from tests.support.worker import running_worker

Environment = Mapping[str, str]

PROMISED_SECONDS = 1 + 30
"""NOVU_TIMEOUT_MS + 30 s."""
STALLS_SECONDS = 30
"""The machine may stop for this long meanwhile. Without its promise, the stop would wait 65 s for PostgreSQL (store/engine.py)."""


@only("single", because="turns and deliveries wait for PostgreSQL in the same way")
async def test_a_stop_keeps_its_time(
    database: str, db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """A turn and a record wait for an answer; a supervisor kills the worker after the promised time."""
    in_thread = asyncio.to_thread
    environment = {**worker_environment, "NOVU_TIMEOUT_MS": "1000", "LEASE_MS": "5000"}
    async with proxied(database) as proxy:
        through = environment | {"DATABASE_URL": proxy.through(database)}
        with running_worker(tmp_path, **through) as worker:
            workflow = a_workflow(db)
            await in_thread(sent, db, due(db, workflow))
            await in_thread(send_under_way, db, workflow, novu_standin)
            proxy.hang()
            due(db, workflow)
            await in_thread(novu_standin.clear_faults)
            await eventually(lambda: proxy.held_back > 1)
            worker.ask()
            assert await in_thread(lambda: worker.ended(within=PROMISED_SECONDS + STALLS_SECONDS)) == 0
        with running_worker(tmp_path, "next", **environment):
            await in_thread(until_settled, db)
    assert_kept(db, novu_standin)
