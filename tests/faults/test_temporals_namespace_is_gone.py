"""The namespace is deleted under a running worker: its rows wait, and say that they wait, until it is made again."""

from collections.abc import Mapping
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from tests.support.disaster import SOON, assert_nobody_died, assert_unharmed, due, said, send_under_way, sent
from tests.support.modes import only
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_workflow
from tests.support.waiting import wait_until
from tests.support.worker import running_worker

Told = Mapping[str, str]

WAITING = "SELECT FROM notify.ent_notification WHERE id = ANY(%s) AND notification_status = 'PENDING' AND attempt > 0"


async def made(client: Client) -> None:
    """Make the namespace of a client; nobody registers search attributes there but a worker that starts."""
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=client.namespace, workflow_execution_retention_period=Duration(seconds=86_400)
        )
    )


async def deleted(client: Client) -> None:
    """Delete it, with all its workflows."""
    await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=client.namespace))


@only("single", because="the start of a group's workflow is refused as any other")
async def test_rows_wait_for_it(
    db: Db, worker_environment: Told, novu_standin: NovuStandIn, task_queue: str, tmp_path: Path
) -> None:
    """That nothing is found there says nothing about a workflow: what may have been sent is not sent again."""
    namespace = f"{task_queue}-namespace"
    client = await Client.connect(worker_environment["TEMPORAL_ADDRESS"], namespace=namespace)
    await made(client)
    told = {**worker_environment, **SOON, "TEMPORAL_NAMESPACE": namespace}
    with running_worker(tmp_path, **told) as worker:
        workflow = a_workflow(db)
        sent(db, due(db, workflow))
        send_under_way(db, workflow, novu_standin)
        await deleted(client)
        novu_standin.clear_faults()
        meanwhile = due(db, workflow)
        said(worker, "temporal", f"namespace {namespace} does not exist")
        wait_until(lambda: db.execute(WAITING, [meanwhile]).rowcount == len(meanwhile))
        await made(client)
        due(db, workflow)
        assert_unharmed(db, novu_standin, worker)
        assert_nobody_died(db)
    await deleted(client)
