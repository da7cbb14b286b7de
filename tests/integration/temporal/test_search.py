"""The search attributes: registering them, and doing without them where the namespace does not have them."""

import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
)
from temporalio.common import TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from tests.support.logs import logged_in_full
from tests.support.temporal import SEARCH_ATTRIBUTES
from xnovu_poller.dev.temporal import Temporal
from xnovu_poller.temporal import contract, search
from xnovu_poller.temporal.search import SearchAttributes


@pytest.fixture
async def bare(temporal_address: str, task_queue: str) -> Client:
    """A client of a namespace that has none of our search attributes."""
    client = await Client.connect(temporal_address, namespace=f"{task_queue}-bare")
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=client.namespace, workflow_execution_retention_period=Duration(seconds=86_400)
        )
    )
    return client


def test_the_tests_register_what_we_do() -> None:
    """The session's server has our attributes from its start."""
    assert {key.name for key in contract.SEARCH_ATTRIBUTES} == set(SEARCH_ATTRIBUTES)


async def test_missing_attributes_are_registered_once(bare: Client) -> None:
    """Some may be registered already."""
    assert await search.register(bare)
    assert await search.register(bare)


async def test_runs_start_without_attributes_that_may_not_be_registered(temporal_address: str) -> None:
    """A missing right does not keep a worker from starting."""
    nowhere = await Client.connect(temporal_address, namespace="nowhere")

    assert not await search.register(nowhere)


async def test_a_namespace_without_room_is_named() -> None:
    """A namespace has ten attributes of this type; the log contains Temporal's own words."""
    full = {f"Attribute{number}": "Keyword" for number in range(10)}
    with (
        tempfile.TemporaryDirectory() as folder,
        Temporal(Path(folder), search_attributes=full) as server,
        logged_in_full() as written,
    ):
        assert not await search.register(await Client.connect(server.address))

    assert "the namespace's limit is used up" in written.getvalue()
    assert "cannot have more than 10 search attribute of type Keyword" in written.getvalue()


def schedule(attributes: TypedSearchAttributes) -> Schedule:
    """Return a paused schedule whose runs have the attributes."""
    action = ScheduleActionStartWorkflow(
        "Nothing", id="nothing", task_queue="nothing", typed_search_attributes=attributes
    )
    return Schedule(action, ScheduleSpec(), state=ScheduleState(paused=True))


async def start(client: Client, attributes: TypedSearchAttributes) -> None:
    """Start a run."""
    await client.start_workflow("Nothing", id="nothing", task_queue="nothing", search_attributes=attributes)


async def create(client: Client, attributes: TypedSearchAttributes) -> None:
    """Create a schedule."""
    await client.create_schedule("created", schedule(attributes))


async def update(client: Client, attributes: TypedSearchAttributes) -> None:
    """Create a schedule without attributes, if it is missing, and update it."""
    handle = client.get_schedule_handle("updated")
    try:
        await handle.describe()
    except RPCError:
        await client.create_schedule("updated", schedule(TypedSearchAttributes.empty))
    await handle.update(lambda _: ScheduleUpdate(schedule(attributes)))


Call = Callable[[Client, TypedSearchAttributes], Coroutine[Any, Any, None]]


async def test_attributes_that_temporal_refuses_are_given_up(bare: Client) -> None:
    """Temporal names a missing attribute of a run, a new schedule or a changed schedule; the next call succeeds."""
    calls: tuple[Call, ...] = (start, create, update)
    for call in calls:
        attributes = SearchAttributes(registered=True)
        values = {contract.ENTERPRISE: "acme", contract.NOTIFICATION: None}

        with pytest.raises(RPCError) as caught:
            await call(bare, attributes.build(values))

        assert caught.value.status is RPCStatusCode.INVALID_ARGUMENT
        assert contract.ENTERPRISE.name in caught.value.message
        assert attributes.give_up_if_refused(caught.value)
        assert not attributes.registered
        assert attributes.give_up_if_refused(caught.value)  # as for another call that was under way
        await call(bare, attributes.build(values))


async def test_attributes_are_kept_after_another_invalid_argument(client: Client) -> None:
    """Temporal refuses an id that is too long with the same status."""
    attributes = SearchAttributes(registered=True)

    with pytest.raises(RPCError) as caught:
        await client.start_workflow(
            "Nothing",
            id="x" * 2000,
            task_queue="nothing",
            search_attributes=attributes.build({contract.ENTERPRISE: "acme"}),
        )

    assert caught.value.status is RPCStatusCode.INVALID_ARGUMENT
    assert not attributes.give_up_if_refused(caught.value)
    assert attributes.registered
