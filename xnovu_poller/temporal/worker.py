"""The executor of a process: its connection to Temporal, and the worker that runs there."""

import asyncio
import logging
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError, TLSConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from xnovu_poller import log
from xnovu_poller.errors import TemporalUnavailable
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.chores.activities import Chores
from xnovu_poller.temporal.chores.workflow import OrchestrationWorkflow
from xnovu_poller.temporal.delivery.activities import Executor
from xnovu_poller.temporal.delivery.workflow import NotificationProcessingWorkflow
from xnovu_poller.temporal.rules.activities import RuleFiring
from xnovu_poller.temporal.rules.workflow import RuleExecutionWorkflow
from xnovu_poller.temporal.translate import from_temporal

Connection = Client
"""To Temporal, for one namespace; shared by the loops and the executor of a process."""

Executing = Worker
"""The worker of a process, in Temporal's sense."""

WORKFLOWS = [NotificationProcessingWorkflow, RuleExecutionWorkflow, OrchestrationWorkflow]
"""All that an executor carries out."""

_log = log.get(__name__)
_PATIENCE = timedelta(seconds=5)
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where Temporal is, and who we are there.

    Attributes:
        target: host and port of the frontend.
        namespace: must exist.
        secure: whether to speak TLS.
        certificate: ours, for mTLS; with `key`.
        key: ours, for mTLS.
        authority: who signed the server's certificate, if not a well-known one.
        api_key: for Temporal Cloud.
    """

    target: str
    namespace: str
    secure: bool = False
    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None
    api_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one executor process takes on.

    Attributes:
        activities: regular activities at once.
        workflow_tasks: workflow tasks at once; local activities stay below.
        cached_workflows: workflows kept in memory.
        grace: how long work under way may go on after a stop.
    """

    activities: int
    workflow_tasks: int
    cached_workflows: int
    grace: timedelta


@cache
def _runtime() -> Runtime:
    """Make the SDK's core speak through our log, from warning up, and not to the terminal in its own form."""
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=levels, forwarding=forwarding)))


async def connect(address: Address) -> Client:
    """Connect to Temporal and see that the namespace is there.

    Raises:
        TemporalUnavailable: no answer.
        HandoffRefused: an answer, but the namespace is missing or the login not allowed.
    """
    tls = TLSConfig(
        server_root_ca_cert=_read(address.authority),
        client_cert=_read(address.certificate),
        client_private_key=_read(address.key),
    )
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            client = await Client.connect(
                address.target,
                namespace=address.namespace,
                tls=tls if address.secure else False,
                api_key=address.api_key,
                runtime=_runtime(),
                identity=f"xnovu@{socket.gethostname()}:{os.getpid()}",
            )
        await probe(client)
    except (RuntimeError, TimeoutError) as error:
        # The SDK's core has no type for a connection that it could not make.
        raise TemporalUnavailable(f"no connection to {address.target}; check TEMPORAL_ADDRESS") from error
    return client


async def probe(client: Client) -> None:
    """Ask whether Temporal answers for our namespace.

    Raises:
        TemporalUnavailable: it does not.
        HandoffRefused: the namespace is missing, or the login not allowed.
    """
    try:
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), timeout=_PATIENCE
        )
    except RPCError as error:
        raise from_temporal(error, client.namespace) from error


async def register_search_attributes(client: Client) -> bool:
    """Register the search attributes that are missing.

    Returns:
        Whether all are there; where they may not be registered, workflows start without them.
    """
    wanted = {key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in contract.SEARCH_ATTRIBUTES}
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_PATIENCE
        )
        missing = {name: kind for name, kind in wanted.items() if name not in known.custom_attributes}
        if missing:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing),
                timeout=_PATIENCE,
            )
    except RPCError as error:
        _log.warning("search attributes not registered", reason=error.status.name, wanted=sorted(wanted))
        return False
    return True


def executor(
    client: Client,
    *,
    task_queue: str,
    activities: Executor,
    firing: RuleFiring,
    chores: Chores,
    limits: Limits,
) -> Worker:
    """Make the worker of this process; it does not run yet."""
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=[
            activities.deliver,
            activities.lose,
            firing.fire,
            chores.rules,
            chores.retention,
            chores.statistics,
            chores.doctor,
        ],
        max_concurrent_activities=limits.activities,
        max_concurrent_workflow_tasks=limits.workflow_tasks,
        # A local activity occupies its workflow task: with as many of the one as of the other no task
        # would be free to end a workflow.
        max_concurrent_local_activities=max(1, limits.workflow_tasks * 4 // 5),
        max_cached_workflows=limits.cached_workflows,
        # The sandbox took a fifth of the worker's time; that our workflows are deterministic is seen by
        # replaying their histories.
        workflow_runner=UnsandboxedWorkflowRunner(),
        # A stranger would get again and again what it has refused: what its workflow tasks schedule.
        disable_eager_activity_execution=True,
        graceful_shutdown_timeout=limits.grace,
        workflow_failure_exception_types=[Exception],
    )


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
