"""The namespace is deleted under a running worker: its rows wait, and show it, until the namespace exists again."""

from collections.abc import Mapping
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from tests.support.disaster import (
    SOON,
    assert_nobody_died,
    assert_unharmed,
    due,
    send_under_way,
    sent,
    wait_until_unhealthy,
)
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

Environment = Mapping[str, str]

WAITING = "SELECT FROM notify.ent_notification WHERE id = ANY(%s) AND notification_status = 'PENDING' AND attempt > 0"


async def register(client: Client) -> None:
    """Register the namespace of a client; only a worker that starts registers search attributes there."""
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=client.namespace, workflow_execution_retention_period=Duration(seconds=86_400)
        )
    )


async def delete(client: Client) -> None:
    """Delete it, with all its workflows."""
    await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=client.namespace))


@only("single", because="the start of a group's workflow is refused like any other")
async def test_rows_wait_for_it(
    db: Db, worker_environment: Environment, novu_standin: NovuStandIn, task_queue: str, tmp_path: Path
) -> None:
    """An empty answer there proves nothing about a workflow: a row that may have been sent is not sent again."""
    namespace = f"{task_queue}-namespace"
    client = await Client.connect(worker_environment["TEMPORAL_ADDRESS"], namespace=namespace)
    await register(client)
    environment = {**worker_environment, **SOON, "TEMPORAL_NAMESPACE": namespace}
    with running_worker(tmp_path, **environment) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        send_under_way(db, workflow, novu_standin)
        await delete(client)
        novu_standin.clear_faults()
        meanwhile = due(db, workflow)
        wait_until_unhealthy(worker, "temporal", f"namespace {namespace} does not exist")
        wait_until(lambda: db.execute(WAITING, [meanwhile]).rowcount == len(meanwhile))
        await register(client)
        due(db, workflow)
        assert_unharmed(db, novu_standin, worker)
        assert_nobody_died(db)
    await delete(client)
