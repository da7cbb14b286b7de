"""Read what a namespace holds: its settings, who polls a task queue, whose chores run there, and the state of a run."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from temporalio.api.enums.v1 import NamespaceState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from xnovu_poller.temporal import contract
from xnovu_poller.temporal.translate import is_missing_object, translate_rpc_error

_TIMEOUT = timedelta(seconds=10)

_NEWEST = 50
"""Look at this many runs of chores: each deployment has one or two a minute."""


LEAST_RETENTION = timedelta(days=1)
"""Temporal refuses a second run of an id only for as long as it keeps the first; the run of a rule may last this long."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """The settings of a namespace.

    Attributes:
        retention: how long closed runs are kept.
        is_registered: it is neither deprecated nor deleted.
    """

    retention: timedelta
    is_registered: bool


class RunState(StrEnum):
    """What Temporal knows of a run.

    OPEN: it has not ended. CLOSED: it has ended. MISSING: there is no such run, or it was forgotten.
    """

    OPEN = "open"
    CLOSED = "closed"
    MISSING = "missing"


async def read_namespace(client: Client) -> Namespace:
    """Read the settings of the client's namespace.

    Raises:
        TemporalError: no answer, or Temporal does not allow it.
    """
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        found = await client.workflow_service.describe_namespace(request, timeout=_TIMEOUT)
    except RPCError as error:
        raise translate_rpc_error(error, client.namespace) from error
    retention = found.config.workflow_execution_retention_ttl
    return Namespace(
        timedelta(seconds=retention.seconds),
        found.namespace_info.state == NamespaceState.NAMESPACE_STATE_REGISTERED,
    )


async def list_pollers(client: Client, task_queue: str) -> dict[str, set[str]]:
    """Return the identities that polled a task queue in the last minutes, for `workflow` and `activity` tasks.

    Raises:
        TemporalError: no answer, or Temporal does not allow it.
    """
    kinds = {
        "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    }
    try:
        return {
            name: {
                poller.identity
                for poller in (
                    await client.workflow_service.describe_task_queue(
                        DescribeTaskQueueRequest(
                            namespace=client.namespace,
                            task_queue=TaskQueue(name=task_queue),
                            task_queue_type=kind,
                        ),
                        timeout=_TIMEOUT,
                    )
                ).pollers
            }
            for name, kind in kinds.items()
        }
    except RPCError as error:
        raise translate_rpc_error(error, client.namespace) from error


async def list_deployments(client: Client, task_queue: str) -> Collection[str]:
    """Return the short names of the deployments whose chores were last put on a task queue.

    Raises:
        TemporalError: no answer, or Temporal does not allow it.
    """
    query = f"WorkflowType = '{contract.CHORES_WORKFLOW}' AND TaskQueue = '{_quote(task_queue)}'"
    try:
        listed = client.list_workflows(query, limit=_NEWEST, page_size=_NEWEST, rpc_timeout=_TIMEOUT)
        return sorted({run.id.partition("-")[0] async for run in listed})
    except RPCError as error:
        raise translate_rpc_error(error, client.namespace) from error


async def read_run_state(client: Client, run_id: str) -> RunState:
    """Return what Temporal knows of a run.

    Raises:
        TemporalError: no answer, or Temporal does not allow it.
    """
    try:
        found = await client.get_workflow_handle(run_id).describe(rpc_timeout=_TIMEOUT)
    except RPCError as error:
        if is_missing_object(error):
            return RunState.MISSING
        raise translate_rpc_error(error, client.namespace) from error
    return RunState.OPEN if found.status is WorkflowExecutionStatus.RUNNING else RunState.CLOSED


def _quote(name: str) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'")
