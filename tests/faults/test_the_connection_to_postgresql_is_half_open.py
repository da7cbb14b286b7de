"""The connections to PostgreSQL stand and say nothing: the worker says so, stays, and goes on when they speak."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.support.disaster import SOON, assert_unharmed, due, said, send_under_way, sent
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.proxy import proxied
from tests.support.rows import Db, a_workflow
from tests.support.waiting import eventually
from tests.support.worker import running_worker

Told = Mapping[str, str]


@only("single", because="who records waits for PostgreSQL in one way, whatever is to be recorded")
async def test_the_record_waits_for_its_answer(
    database: str, db: Db, worker_environment: Told, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """Somebody acknowledges what is sent, so nothing but our own patience bounds it, 65 s (store/engine.py).

    Where nobody acknowledges, TCP gives up after 20 to 25 s.
    """
    away = asyncio.to_thread
    async with proxied(database) as proxy:
        told = {**worker_environment, **SOON, "DATABASE_URL": proxy.through(database)}
        with running_worker(tmp_path, **told) as worker:
            workflow = a_workflow(db)
            await away(sent, db, due(db, workflow))
            await away(send_under_way, db, workflow, novu_standin)
            proxy.hang()
            await away(novu_standin.clear_faults)
            await eventually(lambda: proxy.held_back)
            due(db, workflow)
            await away(said, worker, "database", "no answer within 2 s")
            proxy.mend()
            due(db, workflow)
            await away(assert_unharmed, db, novu_standin, worker)
