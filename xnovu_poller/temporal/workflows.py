"""The workflow of a claim: the order of its tries and nothing else."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from xnovu_poller.temporal import contract
    from xnovu_poller.temporal.activities import REGULAR_TRIES, Executor
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
        single = len(work.works) == 1
        if single and await _delivered_at_once(work):
            return
        try:
            await workflow.execute_activity_method(
                Executor.deliver,
                work,
                start_to_close_timeout=contract.regular_timeout(work.call),
                heartbeat_timeout=contract.heartbeat_timeout(work.call),
                retry_policy=RetryPolicy(
                    initial_interval=_FIRST_WAIT,
                    backoff_coefficient=2,
                    maximum_interval=timedelta(minutes=5),
                    maximum_attempts=REGULAR_TRIES if single else REGULAR_TRIES + 1,
                ),
            )
        except ActivityError as error:
            _stop_at_stranger(error)
            await workflow.execute_activity_method(
                Executor.lose,
                work,
                start_to_close_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(initial_interval=_FIRST_WAIT, maximum_interval=timedelta(minutes=1)),
            )


async def _delivered_at_once(work: Deliver) -> bool:
    """Try within this workflow task; waits as long as the next try is to wait, if it did not succeed."""
    try:
        await workflow.execute_local_activity_method(
            Executor.deliver,
            work,
            start_to_close_timeout=contract.local_timeout(work.call),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
    except ActivityError as error:
        _stop_at_stranger(error)
        cause = error.cause
        pause = cause.next_retry_delay if isinstance(cause, ApplicationError) else None
        await workflow.sleep(max(_FIRST_WAIT, pause or _FIRST_WAIT))
        return False
    return True


def _stop_at_stranger(error: ActivityError) -> None:
    """Fail a workflow that fell into the hands of another deployment; the rescue of its own finds the rows."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == "stranger":
        raise error
