"""The workflow of a claim: the order of its tries and nothing else."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from xnovu_poller.errors import StoreUnavailable
    from xnovu_poller.temporal import contract
    from xnovu_poller.temporal.activities import STRANGER, Executor
    from xnovu_poller.temporal.contract import Deliver

_FIRST_WAIT = timedelta(seconds=1)


@workflow.defn(name=contract.WORKFLOW)
class NotificationProcessingWorkflow:
    """Deliver a group of notifications; the rows tell how it went, the workflow returns nothing.

    A single notification is tried once as a local activity, within the first workflow task; what
    follows, and groups, are regular activities. If no try could record the end of an attempt, that
    is recorded; if the workflow itself dies, the rescue finds its rows.
    """

    @workflow.run
    async def run(self, work: Deliver) -> None:
        """Try up to three times, then record what was heard no more of."""
        if work.begins_locally and await _delivered_at_once(work):
            return
        try:
            outcome = await workflow.execute_activity_method(
                Executor.deliver,
                work,
                start_to_close_timeout=contract.regular_timeout(work.call),
                heartbeat_timeout=contract.heartbeat_timeout(work.call),
                retry_policy=RetryPolicy(
                    initial_interval=_FIRST_WAIT,
                    backoff_coefficient=2,
                    maximum_interval=timedelta(minutes=5),
                    maximum_attempts=work.regular_tries,
                ),
            )
            _tell(work, outcome)
        except FailureError as error:
            fault = _fault(error)
            # That the database was away is no fault of the notifications.
            counted = not (isinstance(fault, ApplicationError) and fault.type == StoreUnavailable.code)
            await workflow.execute_activity_method(
                Executor.lose,
                args=[work, counted],
                start_to_close_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(initial_interval=_FIRST_WAIT, maximum_interval=timedelta(minutes=1)),
            )
            _tell(work, contract.LOST if work.single else None)


async def _delivered_at_once(work: Deliver) -> bool:
    """Try within this workflow task; waits as long as the next try is to wait, if it did not succeed."""
    try:
        outcome = await workflow.execute_local_activity_method(
            Executor.deliver,
            work,
            start_to_close_timeout=contract.local_timeout(work.call),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
    except FailureError as error:
        fault = _fault(error)
        pause = fault.next_retry_delay if isinstance(fault, ApplicationError) else None
        await workflow.sleep(max(_FIRST_WAIT, pause or _FIRST_WAIT))
        return False
    _tell(work, outcome)
    return True


def _tell(work: Deliver, outcome: str | None) -> None:
    """Let a single notification be found by how it went, unless it went well."""
    if work.searchable and outcome not in {None, contract.SENT}:
        workflow.upsert_search_attributes([contract.OUTCOME.value_set(str(outcome))])


def _fault(error: FailureError) -> BaseException | None:
    """Say why a try failed; the failure of a local activity comes as it is, that of a regular one wrapped.

    Raises:
        FailureError: no further try may be made: the workflow was cancelled, or fell into the hands of
            another deployment. The rescue finds its rows.
    """
    fault = error.cause if isinstance(error, ActivityError) else error
    if is_cancelled_exception(error) or (isinstance(fault, ApplicationError) and fault.type == STRANGER):
        raise error
    return fault
