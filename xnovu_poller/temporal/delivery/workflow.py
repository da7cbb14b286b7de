"""The workflow of a claim: the order of its tries and nothing else."""

from collections.abc import Awaitable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from xnovu_poller.errors import StoreUnavailable
    from xnovu_poller.temporal import contract
    from xnovu_poller.temporal.contract import DeliverInput
    from xnovu_poller.temporal.delivery.activities import DeliveryActivities
    from xnovu_poller.temporal.foreign_deployment import ask_until_accepted, count_tries_before_refusal

_FIRST_WAIT = timedelta(seconds=1)


@workflow.defn(name=contract.WORKFLOW)
class NotificationProcessingWorkflow:
    """Deliver a group of notifications; the rows tell how it went, the workflow returns nothing.

    The first try is a local activity, within the first workflow task; what follows are regular
    activities. If no try could record the end of an attempt, that
    is recorded; if the workflow itself dies, the rescue finds its rows.

    Executors of another deployment, which share our task queue by mistake, refuse what is ours: that is
    no try, and it is asked again until one of our own takes it or the execution timeout ends it.
    """

    @workflow.run
    async def run(self, work: DeliverInput) -> None:
        """Try up to three times, then record what was heard no more of."""
        tries = contract.TRIES
        if work.begins_locally:
            made = await _tried_at_once(work)
            if made is None:
                return
            tries -= made

        def deliver(before: int) -> Awaitable[str | None]:
            return workflow.execute_activity_method(
                DeliveryActivities.deliver,
                work,
                start_to_close_timeout=contract.regular_timeout(work.call),
                heartbeat_timeout=contract.heartbeat_timeout(work.call),
                retry_policy=RetryPolicy(
                    initial_interval=_FIRST_WAIT,
                    backoff_coefficient=2,
                    maximum_interval=timedelta(minutes=5),
                    maximum_attempts=tries - before,
                ),
            )

        try:
            _tell(work, await ask_until_accepted(deliver))
        except FailureError as error:
            await _lose(work, _fault(error))


async def _tried_at_once(work: DeliverInput) -> int | None:
    """Try within this workflow task; waits as long as the next try is to wait, if it did not succeed.

    Returns:
        None if it did; else how many tries that was: none, if it fell into the hands of a stranger.
    """
    try:
        outcome = await workflow.execute_local_activity_method(
            DeliveryActivities.deliver,
            work,
            start_to_close_timeout=contract.local_timeout(work.call),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
    except FailureError as error:
        fault = _fault(error)
        pause = fault.next_retry_delay if isinstance(fault, ApplicationError) else None
        await workflow.sleep(max(_FIRST_WAIT, pause or _FIRST_WAIT))
        return 1 if count_tries_before_refusal(fault) is None else 0
    _tell(work, outcome)
    return None


async def _lose(work: DeliverInput, fault: BaseException | None) -> None:
    """Record that no try could record the end."""
    # That the database was away is no fault of the notifications.
    counted = not (isinstance(fault, ApplicationError) and fault.type == StoreUnavailable.code)

    def lose(_: int) -> Awaitable[None]:
        return workflow.execute_activity_method(
            DeliveryActivities.lose,
            args=[work, counted],
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(initial_interval=_FIRST_WAIT, maximum_interval=timedelta(minutes=1)),
        )

    await ask_until_accepted(lose)
    _tell(work, contract.LOST if work.single else None)


def _tell(work: DeliverInput, outcome: str | None) -> None:
    """Let a single notification be found by how it went, unless it went well."""
    if work.searchable and outcome not in {None, contract.SENT}:
        workflow.upsert_search_attributes([contract.OUTCOME.value_set(str(outcome))])


def _fault(error: FailureError) -> BaseException | None:
    """Say why a try failed; the failure of a local activity comes as it is, that of a regular one wrapped.

    Raises:
        FailureError: no further try may be made: the workflow was cancelled. The rescue finds its rows.
    """
    if is_cancelled_exception(error):
        raise error
    return error.cause if isinstance(error, ActivityError) else error
