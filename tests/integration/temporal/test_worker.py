"""The capacity of a worker."""

import asyncio

from temporalio.client import Client

from tests.support.delivering import a_claimed
from tests.support.executing import LIMITS, claims_of, executing
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow, row
from tests.support.waiting import eventually
from xnovu_poller.store.engine import Engine


async def test_more_notifications_than_slots_are_all_sent(
    client: Client, task_queue: str, engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """A local activity occupies its workflow task, so some tasks are kept free of them."""
    workflow = a_workflow(db)
    attempts = [a_claimed(db, workflow=workflow, recipients=[f"s{i}"]) for i in range(30)]
    async with executing(client, task_queue, engine, novu_standin) as executor:
        handles = [await executor.begin(claim) for claim in claims_of(db, attempts)]
        await asyncio.gather(*(handle.result() for handle in handles))

    assert len(attempts) > LIMITS.workflow_tasks
    assert {row(db, attempt.notification_id)["notification_status"] for attempt in attempts} == {"SENT"}
    assert await eventually(lambda: novu_standin.stats()["deliveries"] == 30)
