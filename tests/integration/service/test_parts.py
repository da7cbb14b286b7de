"""The parts of an executor process on real servers: what waits for rules keeps nothing from the deliveries."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import event

from tests.support.firing import made, tried
from tests.support.rows import Db, a_rule, a_workflow, open_db
from tests.support.waiting import eventually
from xnovu_poller import settings
from xnovu_poller.service.parts import assemble
from xnovu_poller.service.waiting import StartWait
from xnovu_poller.temporal.rules.schedules import RuleSchedules

FIRINGS = 40


async def test_firings_that_wait_take_no_connection_of_the_deliveries(
    db: Db, database: str, worker_environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenant holds a rule that is to fire again and again: not one of them asks the deliveries' pool, none is lost."""
    for name, value in {**worker_environment, "NOVU_SECRET_KEY": "key"}.items():
        monkeypatch.setenv(name, value)
    told = settings.load()
    rule = a_rule(db, workflow=a_workflow(db))
    taken: list[object] = []
    async with AsyncExitStack() as stack:
        parts = await assemble(told, stack, StartWait(), asyncio.Event())
        assert parts is not None
        schedules = RuleSchedules(
            parts.client,
            deployment=parts.deployment,
            task_queue=told.temporal_task_queue,
            search=parts.search,
        )
        event.listen(parts.engine.sync_engine, "checkout", lambda *_: taken.append(1))
        running = asyncio.create_task(parts.temporal_worker.run())
        with open_db(database) as holder, holder.transaction():
            holder.execute("SELECT FROM notify.ent_notification_rule FOR UPDATE")
            fired = await asyncio.gather(*(schedules.fire(rule) for _ in range(FIRINGS)))
            handles = [parts.client.get_workflow_handle(one) for one in fired]

            async def all_refused() -> bool:
                return all(await asyncio.gather(*(tried(handle, 2) for handle in handles)))

            await eventually(all_refused)
        await eventually(lambda: {*made(db, rule)} == {*fired})
        await parts.temporal_worker.shutdown()
        await running

    assert taken == []
