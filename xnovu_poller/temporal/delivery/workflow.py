"""The workflow that delivers claims: only the order of its tries."""

from collections.abc import Awaitable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from xnovu_poller.errors import StoreLocked, StoreUnavailable
    from xnovu_poller.lifecycle import Status
    from xnovu_poller.temporal import contract
    from xnovu_poller.temporal.contract import DeliverInput
    from xnovu_poller.temporal.delivery.activities import DeliveryActivities
    from xnovu_poller.temporal.foreign_deployment import ask_until_accepted, count_tries_before_refusal

_FIRST_WAIT = timedelta(seconds=1)

_NO_FAULT = frozenset({StoreLocked.code, StoreUnavailable.code})
"""The errors of a try that are no fault of its notifications."""


@workflow.defn(name=contract.WORKFLOW)
class NotificationProcessingWorkflow:
    """Deliver a group of notifications; each row has its own outcome, so the run returns nothing.

    The run of a single notification that becomes DEAD fails with the code of its error.

    The first try is a local activity within the first workflow task; regular activities follow. If no try could record
    how an attempt ended, the run records that contact was lost. If the run itself dies, the rescue finds its rows.

    Executors of another deployment may share our task queue by mistake, and refuse our runs. A refusal is no try: the
    run asks again until one of our executors accepts or the execution timeout ends the run.
    """

    @workflow.run
    async def run(self, delivery: DeliverInput) -> None:
        """Try up to three times, then record that contact was lost."""
        tries = contract.TRIES
        if delivery.begins_locally:
            tries_made = await _try_at_once(delivery)
            if tries_made is None:
                return
            tries -= tries_made

        # A refusal is no try, but the next activity must not have the tries that came before it again.
        def deliver(tries_before_refusals: int) -> Awaitable[str | None]:
            return workflow.execute_activity_method(
                DeliveryActivities.deliver,
                delivery,
                start_to_close_timeout=contract.regular_timeout(delivery.call),
                heartbeat_timeout=contract.heartbeat_timeout(delivery.call),
                retry_policy=RetryPolicy(
                    initial_interval=_FIRST_WAIT,
                    backoff_coefficient=2,
                    maximum_interval=timedelta(minutes=5),
                    maximum_attempts=tries - tries_before_refusals,
                ),
            )

        try:
            outcome = await ask_until_accepted(deliver)
        except FailureError as error:
            outcome = await _record_lost_contact(delivery, _cause(error))
        _end(delivery, outcome)


async def _try_at_once(delivery: DeliverInput) -> int | None:
    """Try within this workflow task; if the try fails, wait until the next try may start.

    Returns:
        None if it succeeded; otherwise the number of tries that it counts as: 0 if another deployment's executor
        refused it, else 1.
    """
    try:
        outcome = await workflow.execute_local_activity_method(
            DeliveryActivities.deliver,
            delivery,
            start_to_close_timeout=contract.local_timeout(delivery.call),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
    except FailureError as error:
        cause = _cause(error)
        pause = cause.next_retry_delay if isinstance(cause, ApplicationError) else None
        await workflow.sleep(max(_FIRST_WAIT, pause or _FIRST_WAIT))
        return 1 if count_tries_before_refusal(cause) is None else 0
    _end(delivery, outcome)
    return None


async def _record_lost_contact(delivery: DeliverInput, cause: BaseException | None) -> str | None:
    """Record that contact was lost, because no try could record how the attempt ended; return the outcome."""
    # A database that was away or locked is no fault of the notifications.
    counted = not (isinstance(cause, ApplicationError) and cause.type in _NO_FAULT)

    def record(_: int) -> Awaitable[str | None]:
        return workflow.execute_activity_method(
            DeliveryActivities.record_lost_contact,
            args=[delivery, counted],
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(initial_interval=_FIRST_WAIT, maximum_interval=timedelta(minutes=1)),
        )

    state = await ask_until_accepted(record)
    return (state or contract.LOST) if delivery.single else None


def _end(delivery: DeliverInput, outcome: str | None) -> None:
    """End the run of a single notification so that people see how the notification ended, unless it was sent.

    Raises:
        ApplicationError: the notification is DEAD; the run fails with the code.
    """
    if outcome is None or outcome == contract.SENT:
        return
    state, code = contract.split_outcome(outcome)
    if delivery.searchable:
        workflow.upsert_search_attributes([contract.OUTCOME.value_set(state)])
    if delivery.fails_if_dead and state == Status.DEAD.value:
        message = "the notification is DEAD; its error_details has the reason"
        raise ApplicationError(message, type=code, non_retryable=True)


def _cause(error: FailureError) -> BaseException | None:
    """Return why a try failed. The failure of a regular activity is wrapped; that of a local activity is not.

    Raises:
        FailureError: the run was cancelled, so it must not try again. The rescue finds its rows.
    """
    if is_cancelled_exception(error):
        raise error
    return error.cause if isinstance(error, ActivityError) else error
