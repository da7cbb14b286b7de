"""Connecting to Temporal, and what an executor is made of."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from temporalio.client import Client

from tests.support.delivering import a_claimed
from tests.support.executing import LIMITS, claims_of, executing
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow, row
from tests.support.temporal import SEARCH_ATTRIBUTES
from tests.support.waiting import eventually
from xnovu_poller.dev.temporal import Temporal
from xnovu_poller.errors import TemporalRefused, TemporalUnavailable
from xnovu_poller.store.engine import Engine
from xnovu_poller.temporal import client as temporal
from xnovu_poller.temporal import search
from xnovu_poller.temporal.client import Address, connect, probe
from xnovu_poller.temporal.contract import SEARCH_ATTRIBUTES as OURS


@pytest.fixture
async def bare() -> AsyncIterator[Client]:
    """A client of a server that knows none of our search attributes."""
    with TemporaryDirectory(prefix="xnovu-temporal-") as folder, Temporal(Path(folder)) as server:
        yield await connect(Address(target=server.address, namespace="default"))


def test_the_tests_register_what_we_do() -> None:
    """The session's server knows our attributes from its start."""
    assert {key.name for key in OURS} == set(SEARCH_ATTRIBUTES)


async def test_a_server_that_is_there_answers(client: Client) -> None:
    """Connected, and the namespace is there."""
    await probe(client)
    assert client.identity.startswith("xnovu@")


async def test_no_server_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is named; a person may have to mend it."""
    monkeypatch.setattr(temporal, "_CONNECT_SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TemporalUnavailable, match=f"127.0.0.1:{port}"):
        await connect(Address(target=f"127.0.0.1:{port}", namespace="default"))


async def test_a_missing_namespace_is_refused(temporal_address: str) -> None:
    """At the start, and not at the first notification."""
    with pytest.raises(TemporalRefused, match="namespace nowhere"):
        await connect(Address(target=temporal_address, namespace="nowhere"))


async def test_missing_attributes_are_registered_once(bare: Client) -> None:
    """Some may be there already."""
    assert await search.register(bare)
    assert await search.register(bare)


async def test_where_they_may_not_be_registered_we_go_without(temporal_address: str) -> None:
    """A missing right is no reason not to start."""
    nowhere = await Client.connect(temporal_address, namespace="nowhere")

    assert not await search.register(nowhere)


async def test_more_notifications_than_places_all_come_through(
    client: Client, task_queue: str, engine: Engine, db: Db, novu_standin: NovuStandIn
) -> None:
    """A local activity occupies its workflow task; some tasks are kept free of them."""
    workflow = a_workflow(db)
    works = [a_claimed(db, workflow=workflow, recipients=[f"s{i}"]) for i in range(30)]
    async with executing(client, task_queue, engine, novu_standin) as executor:
        handles = [await executor.begin(claim) for claim in claims_of(db, works)]
        await asyncio.gather(*(handle.result() for handle in handles))

    assert len(works) > LIMITS.workflow_tasks
    assert {row(db, one.notification_id)["notification_status"] for one in works} == {"SENT"}
    assert await eventually(lambda: novu_standin.stats()["deliveries"] == 30)
