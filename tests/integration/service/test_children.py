"""WORKER_PROCESSES: further processes that execute, and that never outlive the worker."""

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from tests.support.novu import NovuStandIn
from tests.support.programs import is_alive
from tests.support.rows import Db, a_notification, a_workflow
from tests.support.waiting import eventually, wait_until
from tests.support.worker import WorkerProgram, running_worker

Told = Mapping[str, str]

SENT = "SELECT FROM notify.ent_notification WHERE notification_status = 'SENT'"


@pytest.fixture
def worker(worker_environment: Told, tmp_path: Path) -> Iterator[WorkerProgram]:
    """Run a worker of two processes, both at work."""
    with running_worker(tmp_path, **worker_environment, WORKER_PROCESSES="2") as program:
        program.until_logged("executor started")
        yield program


def child_of(worker: WorkerProgram) -> int:
    """Give the process id of the further executor."""
    wait_until(lambda: worker.get_status()["executors"]["pids"])
    (pid,) = worker.get_status()["executors"]["pids"]
    return int(pid)


async def pollers(told: Told) -> set[str]:
    """Ask Temporal who waits for workflow tasks of the queue."""
    client = await Client.connect(told["TEMPORAL_ADDRESS"])
    found = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=told["TEMPORAL_TASK_QUEUE"]),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return {poller.identity for poller in found.pollers}


async def test_both_processes_take_part(
    worker: WorkerProgram, worker_environment: Told, db: Db, novu_standin: NovuStandIn
) -> None:
    """Each under an identity of its own; /metrics counts both, and a stop ends both."""
    child = child_of(worker)

    async def both() -> bool:
        pids = {int(identity.rpartition(":")[2]) for identity in await pollers(worker_environment)}
        return pids == {worker.child.pid, child}

    await eventually(both)
    workflow = a_workflow(db)
    with db.transaction():
        for _ in range(100):
            a_notification(db, workflow=workflow)
    await eventually(lambda: db.execute(SENT).rowcount == 100)
    # What is recorded is counted a moment later.
    await eventually(lambda: worker.metric("xnovu_notifications_sent_total") == 100)
    await eventually(lambda: worker.metric("xnovu_due_to_accepted_seconds_count") == 100)
    assert worker.stop() == 0
    assert not is_alive(child)
    assert novu_standin.stats()["duplicates"] == 0


def test_a_killed_child_is_replaced(worker: WorkerProgram) -> None:
    """/health tells of the gap, and the worker goes on."""
    killed = child_of(worker)

    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: worker.component("worker")["status"] == "degraded")
    assert worker.get("health").status_code == 200

    assert child_of(worker) != killed
    assert worker.get_status()["executors"]["restarts"] == 1
    wait_until(lambda: worker.component("worker")["status"] == "healthy")
    wait_until(lambda: len(worker.lines("executor started")) == 2)
    assert worker.stop() == 0


def test_a_killed_worker_leaves_nothing_behind(worker: WorkerProgram) -> None:
    """The child ends in order: what it had begun is recorded."""
    child = child_of(worker)

    worker.ask(signal.SIGKILL)
    worker.ended()

    wait_until(lambda: not is_alive(child))
    assert worker.lines("executor stopped")
