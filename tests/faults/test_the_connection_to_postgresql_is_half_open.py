"""The connections to PostgreSQL are open but silent: the worker reports it, stays, and resumes when answers come."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.support.disaster import SOON, assert_unharmed, due, send_under_way, sent, wait_until_unhealthy
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.proxy import proxied
from tests.support.rows import Db, a_workflow
from tests.support.waiting import eventually
from tests.support.worker import running_worker

Environment = Mapping[str, str]


@only("single", because="every record waits for PostgreSQL in the same way")
async def test_the_record_waits_for_its_answer(
    database: str, db: Db, worker_environment: Environment, novu_standin: NovuStandIn, tmp_path: Path
) -> None:
    """The proxy acknowledges the packets, so only our own limit of 65 s ends the wait (store/engine.py).

    Without acknowledgements TCP gives up after 20 to 25 s.
    """
    in_thread = asyncio.to_thread
    async with proxied(database) as proxy:
        environment = {**worker_environment, **SOON, "DATABASE_URL": proxy.through(database)}
        with running_worker(tmp_path, **environment) as worker:
            workflow = a_workflow(db)
            await in_thread(sent, db, due(db, workflow))
            await in_thread(send_under_way, db, workflow, novu_standin)
            proxy.hang()
            await in_thread(novu_standin.clear_faults)
            await eventually(lambda: proxy.held_back)
            due(db, workflow)
            await in_thread(wait_until_unhealthy, worker, "database", "no answer within 2 s")
            proxy.mend()
            due(db, workflow)
            await in_thread(assert_unharmed, db, novu_standin, worker)
