"""Fixtures for the tests of a whole worker."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from tests.support.rows import Db, row
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProgram, running_worker

Environment = Mapping[str, str]


@pytest.fixture
def worker(worker_environment: Environment, tmp_path: Path) -> Iterator[WorkerProgram]:
    """Run a worker of two processes, both running."""
    with running_worker(tmp_path, **worker_environment, WORKER_PROCESSES="2") as program:
        program.until_logged("executor started")
        yield program


def child_of(worker: WorkerProgram) -> int:
    """Return the process id of the further executor."""
    # One look: a child that was just killed may be gone at the next.
    (pid,) = wait_until(worker.children)
    return pid


async def pollers(environment: Environment) -> set[str]:
    """Return the identities that wait for workflow tasks of the queue, according to Temporal."""
    client = await Client.connect(environment["TEMPORAL_ADDRESS"])
    found = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=environment["TEMPORAL_TASK_QUEUE"]),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return {poller.identity for poller in found.pollers}


def is_sent(db: Db, notification_id: int) -> bool:
    """Return whether a notification is SENT."""
    return bool(row(db, notification_id)["notification_status"] == "SENT")


def listens(worker: WorkerProgram) -> bool:
    """Return whether the worker listens for wake-ups."""
    return bool(worker.get_status()["wakeup"]["listening"])
