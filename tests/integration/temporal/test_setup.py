"""What a namespace lacks: done by us, or as steps for a person."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest

from tests.support.waiting import eventually
from xnovu_poller.temporal import setup
from xnovu_poller.temporal.client import Address, connect_unproven
from xnovu_poller.temporal.namespace import read_namespace

DAYS = timedelta(days=3)


async def test_a_short_retention_is_mended(temporal_address: str, task_queue: str) -> None:
    """On Temporal Cloud it is a step for a person, and so is each attribute that is missing."""
    address = Address(target=temporal_address, namespace=task_queue)
    client = await connect_unproven(address)
    hour = RegisterNamespaceRequest(
        namespace=task_queue, workflow_execution_retention_period=Duration(seconds=3600)
    )
    await client.workflow_service.register_namespace(hour)

    async def two_steps() -> list[str]:
        # The only step is `create` until all parts of the server know the namespace.
        steps = (await setup.check(address, DAYS)).steps
        return steps if len(steps) > 1 else []

    retention, attributes = await eventually(two_steps)
    assert retention == f"tcld namespace retention set --namespace {task_queue} --retention-days 3"
    assert '--search-attribute "XnovuEnterpriseId=Keyword"' in attributes

    report = await setup.prepare(address, DAYS)
    assert report.done[0] == f"the namespace {task_queue} now keeps closed runs for 3 days"
    assert (await read_namespace(client)).retention == DAYS


async def test_no_step_is_left_where_temporal_does_not_answer() -> None:
    """A namespace would not help: the sentence names what a person can do."""
    report = await setup.check(Address(target="127.0.0.1:1", namespace="ours.a1b2c"), DAYS)

    assert (report.done, report.steps) == ([], [])
    assert "nothing listens there" in report.problems[0]


def test_the_addresses_of_temporal_cloud_are_known() -> None:
    """There a namespace is made by its own tools."""
    assert setup.is_cloud("ours.a1b2c.tmprl.cloud:7233")
    assert setup.is_cloud("us-east-1.aws.api.temporal.io:7233")
    assert not setup.is_cloud("temporal.example:7233")
