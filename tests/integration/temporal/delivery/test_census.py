"""The census of a deployment's runs and executors, by a real Temporal."""

import asyncio
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.support.waiting import eventually
from xnovu_poller.errors import TemporalUnavailable
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.delivery.census import take_census


async def test_the_runs_of_a_deployment_are_counted(client: Client, task_queue: str) -> None:
    """Those of others are not; nobody polls this queue."""
    ours, theirs = uuid4(), uuid4()
    for deployment, number in ((ours, 1), (ours, 2), (theirs, 3)):
        await client.start_workflow(
            contract.WORKFLOW,
            id=f"{contract.prefix(deployment)}-notification-{number}-1",
            task_queue=task_queue,
        )
    expected = {"pollers": {"workflow": 0, "activity": 0}, "running": 2, "failed_in_a_day": 0}

    async def is_counted() -> bool:
        return await take_census(client, ours, task_queue) == expected

    await eventually(is_counted)


async def test_a_temporal_without_an_answer_is_unavailable(
    client: Client, task_queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page then has no census."""

    async def fail(*_: object, **__: object) -> None:
        await asyncio.sleep(0)
        raise RPCError("hush", RPCStatusCode.UNAVAILABLE, b"")

    monkeypatch.setattr(client, "count_workflows", fail)
    with pytest.raises(TemporalUnavailable):
        await take_census(client, uuid4(), task_queue)
