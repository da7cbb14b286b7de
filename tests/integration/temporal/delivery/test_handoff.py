"""Start runs in a real Temporal, and ask about them."""

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest, RegisterNamespaceRequest
from temporalio.client import Client
from typing_extensions import override

from tests.support.delivering import a_claimed
from tests.support.executing import Executing, claims_of, handoff_of
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, row
from xnovu_poller.dev.temporal import Temporal
from xnovu_poller.errors import TemporalRefused, TemporalUnavailable
from xnovu_poller.lifecycle import Attempt, Claim, RunState
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.client import Address, connect
from xnovu_poller.temporal.delivery.handoff import Handoff


@pytest.fixture
def handoff(client: Client, task_queue: str) -> Handoff:
    """A handoff to a queue without a worker."""
    return handoff_of(client, task_queue)


@pytest.fixture
def claim(task_queue: str) -> Claim:
    """A claim with a run id that no other test uses."""
    return Claim(Attempt(1, 1), "acme", "plain", f"{task_queue}-notification-1-1", 0)


async def runs(client: Client, workflow_id: str) -> int:
    """Count how often a run id was started."""
    return len([run async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'")])


async def test_any_number_of_starts_make_a_single_run(client: Client, handoff: Handoff, claim: Claim) -> None:
    """As long as it is open, a further start finds it."""
    await asyncio.gather(*(handoff.start([claim]) for _ in range(5)))
    first = await client.get_workflow_handle(claim.run_id).describe()
    await handoff.start([claim])
    second = await client.get_workflow_handle(claim.run_id).describe()

    assert first.run_id == second.run_id


async def test_a_start_after_the_end_starts_nothing(
    executor: Executing, db: Db, novu_standin: NovuStandIn
) -> None:
    """With REJECT_DUPLICATE a closed run of the same id is not started again."""
    attempt = a_claimed(db)
    [claim] = claims_of(db, [attempt])
    await executor.finish(claim)
    before = await executor.client.get_workflow_handle(claim.run_id).describe()

    await executor.handoff.start([claim])

    after = await executor.client.get_workflow_handle(claim.run_id).describe()
    assert after.run_id == before.run_id
    assert novu_standin.stats()["calls"] == 1
    assert row(db, attempt.notification_id)["notification_status"] == "SENT"


async def test_a_run_starts_with_its_timeouts_attributes_and_priority(
    client: Client, handoff: Handoff, claim: Claim
) -> None:
    """Temporal's highest priority is 1, ours is 9."""
    urgent = replace(claim, priority=9, enterprise_id="é" * 40)
    await handoff.start([urgent])

    found = await client.get_workflow_handle(urgent.run_id).describe()
    config = found.raw_description.execution_config
    assert config.workflow_execution_timeout.ToTimedelta() == contract.EXECUTION_TIMEOUT
    assert found.raw_info.priority.priority_key == 1
    assert not found.raw_info.priority.fairness_key
    assert found.typed_search_attributes[contract.ENTERPRISE] == "é" * 40
    assert found.typed_search_attributes[contract.NOTIFICATION] == "1"
    assert found.typed_search_attributes[contract.WORKFLOW_KEY] == "plain"
    assert found.typed_search_attributes.get(contract.OUTCOME) is None


async def test_a_group_runs_at_its_highest_priority(client: Client, handoff: Handoff, claim: Claim) -> None:
    """An urgent notification does not wait because it shares a run with others."""
    urgent = replace(claim, attempt=Attempt(2, 1), priority=7)
    await handoff.start([claim, urgent, replace(claim, attempt=Attempt(3, 1))])

    found = await client.get_workflow_handle(claim.run_id).describe()
    assert found.raw_info.priority.priority_key == 2


async def test_a_run_has_the_fairness_key_of_its_enterprise_only_if_that_is_wanted(
    client: Client, task_queue: str, claim: Claim
) -> None:
    """Temporal Cloud bills fairness; a key has at most 64 bytes."""
    await handoff_of(client, task_queue, fair=True).start([replace(claim, enterprise_id="é" * 40)])

    found = await client.get_workflow_handle(claim.run_id).describe()
    assert found.raw_info.priority.fairness_key == "é" * 32


async def test_a_group_has_only_the_attributes_that_its_claims_share(
    client: Client, handoff: Handoff, claim: Claim
) -> None:
    """No notification id, and no enterprise unless all have the same."""
    await handoff.start([claim, replace(claim, attempt=Attempt(2, 1), enterprise_id="globex")])

    found = await client.get_workflow_handle(claim.run_id).describe()
    assert found.typed_search_attributes.get(contract.ENTERPRISE) is None
    assert found.typed_search_attributes.get(contract.NOTIFICATION) is None
    assert found.typed_search_attributes[contract.WORKFLOW_KEY] == "plain"


async def test_without_registered_attributes_a_run_starts_without_them(
    client: Client, task_queue: str, claim: Claim
) -> None:
    """Temporal would refuse an unknown attribute."""
    await handoff_of(client, task_queue, searchable=False).start([claim])

    found = await client.get_workflow_handle(claim.run_id).describe()
    assert found.typed_search_attributes.get(contract.ENTERPRISE) is None


async def test_an_open_run_differs_from_a_run_that_is_gone(
    client: Client, executor: Executing, handoff: Handoff, claim: Claim, db: Db, novu_standin: NovuStandIn
) -> None:
    """A run that completed, was terminated or never existed is gone."""
    [done] = claims_of(db, [a_claimed(db)])
    await executor.finish(done)
    # A queue of its own, without a worker.
    waiting = handoff_of(client, f"{claim.run_id}-queue")
    await waiting.start([claim])

    assert await handoff.ask(claim.run_id) is RunState.OPEN
    assert await handoff.ask(done.run_id) is RunState.GONE
    assert await handoff.ask("never-there") is RunState.GONE
    await client.get_workflow_handle(claim.run_id).terminate()
    assert await handoff.ask(claim.run_id) is RunState.GONE


class Pausing(Temporal):
    """A Temporal server that allows workflows to be paused."""

    @override
    def _options(self) -> list[str]:
        return [*super()._options(), "--dynamic-config-value", "frontend.WorkflowPauseEnabled=true"]


async def test_a_paused_run_is_open(task_queue: str, claim: Claim) -> None:
    """It may continue at any time."""
    with TemporaryDirectory(prefix="xnovu-temporal-") as folder, Pausing(Path(folder)) as server:
        client = await connect(Address(target=server.address, namespace="default"))
        handoff = handoff_of(client, task_queue, searchable=False)
        await handoff.start([claim])
        await client.workflow_service.pause_workflow_execution(
            PauseWorkflowExecutionRequest(
                namespace="default", workflow_id=claim.run_id, identity="test", reason="test"
            )
        )

        assert await handoff.ask(claim.run_id) is RunState.OPEN


async def test_a_missing_namespace_proves_nothing_about_a_run(
    temporal_address: str, task_queue: str, claim: Claim
) -> None:
    """It refuses starts and questions alike. If it meant that the run is gone, rows would be sent twice."""
    nowhere = handoff_of(await Client.connect(temporal_address, namespace="nowhere"), task_queue)

    with pytest.raises(TemporalRefused, match="namespace nowhere does not exist"):
        await nowhere.start([claim])
    with pytest.raises(TemporalRefused, match="namespace nowhere does not exist"):
        await nowhere.ask(claim.run_id)


async def test_a_start_that_temporal_rejects_is_refused(
    client: Client, handoff: Handoff, claim: Claim
) -> None:
    """For example because the id is too long; the error does not repeat Temporal's message."""
    with pytest.raises(TemporalRefused, match="does not accept"):
        await handoff.start([replace(claim, run_id="x" * 2000)])


async def test_a_namespace_that_has_lost_its_attributes_is_used_without_them(
    temporal_address: str, task_queue: str, claim: Claim
) -> None:
    """It may have been created again: the first start is refused, the next start succeeds without them."""
    bare = await Client.connect(temporal_address, namespace=f"{task_queue}-bare")
    await bare.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=bare.namespace, workflow_execution_retention_period=Duration(seconds=86_400)
        )
    )
    handoff = handoff_of(bare, task_queue)

    with pytest.raises(TemporalRefused, match="check that the search attributes are registered"):
        await handoff.start([claim])
    await handoff.start([claim])

    assert await handoff.ask(claim.run_id) is RunState.OPEN


async def test_a_server_that_is_down_is_unavailable(task_queue: str, claim: Claim) -> None:
    """A run is then neither started nor gone: its state is unknown."""
    with TemporaryDirectory(prefix="xnovu-temporal-") as folder:
        with Temporal(Path(folder)) as server:
            client = await connect(Address(target=server.address, namespace="default"))
        down = handoff_of(client, task_queue)

        results = await asyncio.gather(down.start([claim]), down.ask(claim.run_id), return_exceptions=True)

    assert [type(end) for end in results] == [TemporalUnavailable] * 2
