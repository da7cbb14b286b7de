"""The handoff of claims: start their run in Temporal, and ask what became of it."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import (
    Priority,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from xnovu_poller import metrics
from xnovu_poller.errors import TemporalRefused
from xnovu_poller.lifecycle import Claim, RunState
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import DeliverInput
from xnovu_poller.temporal.search import SearchAttributes
from xnovu_poller.temporal.translate import is_missing_object, translate_rpc_error

_TIMEOUT = timedelta(seconds=10)

_FAIRNESS_BYTES = 64
"""The longest fairness key. Source: Temporal, "Task Queue Priority and Fairness"."""

_OPEN = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
}


class Handoff:
    """Starts the runs of claims, and asks Temporal about them.

    Args:
        client: also used by the Temporal worker of this process, so that a run can start here at once.
        call: the longest that a call to Novu may last.
        fair: give each run the fairness key of its enterprise.
    """

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str,
        deployment: UUID,
        call: timedelta,
        search: SearchAttributes,
        fair: bool = False,
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._deployment = deployment
        self._call = call
        self._search = search
        self._fair = fair

    async def start(self, claims: Sequence[Claim]) -> None:
        """Start the run that these claims share; succeed if it exists already.

        Guarantee: any number of starts for the same claims make one run, because all use its id.

        Args:
            claims: at least one, all with the same `run_id`.

        Raises:
            TemporalUnavailable: no answer; the run may or may not exist.
            TemporalRefused: Temporal refuses to start it.
        """
        delivery = DeliverInput(
            deployment=str(self._deployment),
            attempts=contract.pack(claim.attempt for claim in claims),
            enterprise_id=_shared_value([claim.enterprise_id for claim in claims]),
            call_seconds=self._call.total_seconds(),
            searchable=self._search.registered,
            fails_if_dead=True,
        )
        try:
            await self._client.start_workflow(
                contract.WORKFLOW,
                delivery,
                id=claims[0].run_id,
                task_queue=self._task_queue,
                execution_timeout=contract.EXECUTION_TIMEOUT,
                task_timeout=contract.task_timeout(self._call),
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=self._attributes(claims),
                static_summary=_summarise(claims),
                priority=_priority(claims, fair=self._fair),
                request_eager_start=True,
                rpc_timeout=_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            pass  # the run is closed already; the rescuer takes what it has left
        except RPCError as error:
            # Without a retry here: the claims are released, and their next run starts without attributes.
            self._search.give_up_if_refused(error)
            failure = translate_rpc_error(error, self._client.namespace)
            metrics.HANDOFFS.labels(
                "refused" if isinstance(failure, TemporalRefused) else "unavailable"
            ).inc()
            raise failure from error
        metrics.HANDOFFS.labels("started").inc()

    async def ask(self, run_id: str) -> RunState:
        """Ask Temporal once what became of a run; the rescuer asks again later.

        Raises:
            TemporalUnavailable: no answer.
            TemporalRefused: the answer is not about the run, for example a missing namespace.
        """
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace, execution=WorkflowExecution(workflow_id=run_id)
        )
        try:
            # The SDK's handle raises an error for a run that a person has paused, so call the service itself.
            found = await self._client.workflow_service.describe_workflow_execution(request, timeout=_TIMEOUT)
        except RPCError as error:
            if is_missing_object(error):
                return RunState.GONE
            raise translate_rpc_error(error, self._client.namespace) from error
        return RunState.OPEN if found.workflow_execution_info.status in _OPEN else RunState.GONE

    def _attributes(self, claims: Sequence[Claim]) -> TypedSearchAttributes:
        """Return what the whole group has in common."""
        return self._search.build(
            {
                contract.ENTERPRISE: _shared_value([claim.enterprise_id for claim in claims]),
                contract.WORKFLOW_KEY: _shared_value([claim.workflow_key for claim in claims]),
                contract.NOTIFICATION: str(claims[0].notification_id) if len(claims) == 1 else None,
            }
        )


def _summarise(claims: Sequence[Claim]) -> str:
    """Return what Temporal's UI shows beside the run."""
    first = claims[0]
    if len(claims) == 1:
        what = f"{first.workflow_key} of {first.enterprise_id}: notification {first.notification_id}"
    else:
        what = f"{len(claims)} notifications"
    return contract.cut_summary(what)


def _shared_value(values: Sequence[str | None]) -> str | None:
    """Return the value that all have, or None."""
    return values[0] if len(set(values)) == 1 else None


def _priority(claims: Sequence[Claim], *, fair: bool) -> Priority:
    """Convert our highest priority (0 to 9, higher first) to Temporal's (1 to 5, lower first).

    The fairness key is that of the first claim.
    """
    highest = max(claim.priority for claim in claims)
    key = claims[0].enterprise_id.encode()[:_FAIRNESS_BYTES].decode(errors="ignore")
    return Priority(priority_key=5 - highest // 2, fairness_key=key if fair else None)
