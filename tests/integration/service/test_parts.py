"""The parts of an executor process on real servers: firings that wait do not slow the deliveries."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import event

from tests.support.firing import made, tried
from tests.support.postgres import as_worker
from tests.support.rows import Db, a_rule, a_workflow, open_db
from tests.support.waiting import eventually
from xnovu_poller import settings
from xnovu_poller.service.parts import assemble
from xnovu_poller.service.waiting import StartWait
from xnovu_poller.temporal.rules.schedules import RuleSchedules

FIRINGS = 40


async def test_waiting_firings_use_no_connection_of_the_deliveries(
    db: Db, database: str, worker_environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a tenant locks a rule, its many firings use another pool, and none is lost."""
    for name, value in {**worker_environment, "NOVU_SECRET_KEY": "key"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", as_worker(database))
    loaded = settings.load()
    rule = a_rule(db, workflow=a_workflow(db))
    taken: list[object] = []
    async with AsyncExitStack() as stack:
        parts = await assemble(loaded, stack, StartWait(), asyncio.Event())
        assert parts is not None
        schedules = RuleSchedules(
            parts.client,
            deployment=parts.deployment,
            task_queue=loaded.temporal_task_queue,
            search=parts.search,
        )
        event.listen(parts.engine.sync_engine, "checkout", lambda *_: taken.append(1))
        running = asyncio.create_task(parts.temporal_worker.run())
        with open_db(database) as holder, holder.transaction():
            holder.execute("SELECT FROM notify.ent_notification_rule FOR UPDATE")
            fired = await asyncio.gather(*(schedules.fire(rule) for _ in range(FIRINGS)))
            handles = [parts.client.get_workflow_handle(run_id) for run_id in fired]

            async def all_refused() -> bool:
                return all(await asyncio.gather(*(tried(handle, 2) for handle in handles)))

            await eventually(all_refused)
        await eventually(lambda: {*made(db, rule)} == {*fired})
        await parts.temporal_worker.shutdown()
        await running

    assert taken == []
