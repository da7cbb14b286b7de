"""The handoff: the workflow of a claim is started, or asked after."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from xnovu_poller import log, metrics
from xnovu_poller.errors import TemporalRefused
from xnovu_poller.lifecycle import Claim, RunState
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import DeliverInput
from xnovu_poller.temporal.translate import is_missing_object, translate_rpc_error

_log = log.get(__name__)
_PATIENCE = timedelta(seconds=10)
_FAIRNESS_BYTES = 64

_OPEN = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
}


class Handoff:
    """Starts workflows, and asks after them.

    Args:
        client: shared with the worker of this process, so that a start can be taken up at once.
        task_queue: where executors listen.
        deployment: whose notifications these are.
        call: the longest one call to Novu may last.
        searchable: whether the search attributes are registered.
    """

    def __init__(
        self, client: Client, *, task_queue: str, deployment: UUID, call: timedelta, searchable: bool
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._deployment = deployment
        self._call = call
        self._searchable = searchable

    async def start(self, claims: Sequence[Claim]) -> None:
        """Start the workflow that these claims share; if it runs already, that is as good.

        Guarantee: any number of starts for the same claims make one workflow, for all bear its id.

        Args:
            claims: at least one, all of one `run_id`.

        Raises:
            TemporalUnavailable: no answer; the workflow may or may not run.
            TemporalRefused: Temporal will not start it.
        """
        first = claims[0]
        delivery = DeliverInput(
            deployment=str(self._deployment),
            attempts=contract.to_pairs([claim.attempt for claim in claims]),
            enterprise_id=_uniform([claim.enterprise_id for claim in claims]),
            call_seconds=self._call.total_seconds(),
            searchable=self._searchable,
        )
        try:
            await self._client.start_workflow(
                contract.WORKFLOW,
                delivery,
                id=first.run_id,
                task_queue=self._task_queue,
                execution_timeout=contract.EXECUTION_TIMEOUT,
                task_timeout=contract.task_timeout(self._call),
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=self._attributes(claims),
                priority=_priority(first),
                request_eager_start=True,
                rpc_timeout=_PATIENCE,
            )
        except WorkflowAlreadyStartedError:
            pass  # it ran and is closed: whatever is left of it is the rescue's
        except RPCError as error:
            if self._searchable and error.status is RPCStatusCode.INVALID_ARGUMENT:
                # The namespace may have been made anew, without them: rather unsearchable than not sent.
                self._searchable = False
                _log.warning("search attributes given up", until="the next start of this worker")
            failure = translate_rpc_error(error, self._client.namespace)
            metrics.HANDOFFS.labels(
                "refused" if isinstance(failure, TemporalRefused) else "unavailable"
            ).inc()
            raise failure from error
        metrics.HANDOFFS.labels("started").inc()

    async def ask(self, run_id: str) -> RunState:
        """Ask Temporal what became of a workflow; once, for the rescue will ask again.

        Raises:
            TemporalUnavailable: no answer.
            TemporalRefused: an answer that says nothing about the workflow, such as a missing namespace.
        """
        asked = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace, execution=WorkflowExecution(workflow_id=run_id)
        )
        try:
            # Not by the handle: it has no word for a workflow that somebody has paused.
            found = await self._client.workflow_service.describe_workflow_execution(asked, timeout=_PATIENCE)
        except RPCError as error:
            if is_missing_object(error):
                return RunState.GONE
            raise translate_rpc_error(error, self._client.namespace) from error
        return RunState.OPEN if found.workflow_execution_info.status in _OPEN else RunState.GONE

    def _attributes(self, claims: Sequence[Claim]) -> TypedSearchAttributes:
        """Give what the whole group has in common."""
        if not self._searchable:
            return TypedSearchAttributes.empty
        said = {
            contract.ENTERPRISE: _uniform([claim.enterprise_id for claim in claims]),
            contract.WORKFLOW_KEY: _uniform([claim.workflow_key for claim in claims]),
            contract.NOTIFICATION: str(claims[0].notification_id) if len(claims) == 1 else None,
        }
        return TypedSearchAttributes(
            [SearchAttributePair(key, value) for key, value in said.items() if value is not None]
        )


def _uniform(values: Sequence[str | None]) -> str | None:
    return values[0] if len(set(values)) == 1 else None


def _priority(claim: Claim) -> Priority:
    """Say ours, 0 to 9 and higher first, in Temporal's: 1 to 5 and lower first."""
    key = claim.enterprise_id.encode()[:_FAIRNESS_BYTES].decode(errors="ignore")
    return Priority(priority_key=5 - claim.priority // 2, fairness_key=key)
