"""A client of the session's Temporal, and an executor that runs there."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.support.executing import Executing, executing
from tests.support.novu import NovuStandIn
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal.worker import Address, connect


@pytest.fixture
async def client(temporal_address: str) -> Client:
    """A client of the default namespace."""
    return await connect(Address(target=temporal_address, namespace="default"))


@pytest.fixture
async def executor(
    client: Client, task_queue: str, engine: Engine, novu_standin: NovuStandIn
) -> AsyncIterator[Executing]:
    """A running executor."""
    async with executing(client, task_queue, engine, novu_standin) as made:
        yield made
