"""The activities: deliver a group, or record that nothing more was heard of it."""

from collections.abc import Mapping
from datetime import timedelta

from temporalio import activity

from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.lifecycle import Status
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.boundary import ActivityBoundary
from xnovu_poller.temporal.contract import DeliverInput

_LOCAL_BUDGET = timedelta(seconds=1)

_LAST_WRITE = timedelta(seconds=2)
"""This long before its timeout an activity begins no further write."""


class DeliveryActivities:
    """Carries out activities with the tools of its process.

    Args:
        delivery: the delivery of a group.
        deployment: whose notifications this process may touch.
    """

    def __init__(self, delivery: Delivery, deployment: str) -> None:
        self._delivery = delivery
        self._edge = ActivityBoundary(deployment)

    @activity.defn(name=contract.DELIVER)
    async def deliver(self, delivery: DeliverInput) -> str | None:
        """Deliver a group; each row keeps its own outcome.

        Returns:
            The state that was written, if it is a single notification and not late.

        Raises:
            ApplicationError: to be tried again, or the group is another deployment's.
        """
        async with self._edge.guard(delivery.deployment, contract.heartbeat_timeout(delivery.call)):
            info = activity.info()
            local = info.is_local
            limit = (
                contract.local_timeout(delivery.call) if local else contract.regular_timeout(delivery.call)
            )
            budget = _LOCAL_BUDGET if local else limit - 2 * delivery.call
            last = not local and info.attempt >= _tries(info, delivery)
            states = await self._delivery.deliver(
                delivery.read_attempts(), last=last, budget=budget, limit=limit - _LAST_WRITE
            )
        return _outcome(delivery, states)

    @activity.defn(name=contract.RECORD_LOST_CONTACT)
    async def record_lost_contact(self, delivery: DeliverInput, counted: bool = True) -> str | None:  # noqa: FBT001, FBT002 - Temporal passes by position
        """Record as failed what is still PROCESSING at this attempt, unless somebody is sending it.

        Args:
            delivery: the group.
            counted: whether that brings its rows nearer to DEAD.

        Returns:
            The state that was written, if it is a single notification and was still this attempt's to write.

        Raises:
            ApplicationError: to be tried again, or the group is another deployment's.
        """
        async with self._edge.guard(delivery.deployment, contract.heartbeat_timeout(delivery.call)):
            states = await self._delivery.record_lost_contact(delivery.read_attempts(), counted=counted)
        return _outcome(delivery, states)


def _outcome(delivery: DeliverInput, states: Mapping[int, Status]) -> str | None:
    """Return the state that was written of a single notification; a group has no one outcome."""
    return next((state.value for state in states.values()), None) if delivery.single else None


def _tries(info: activity.Info, delivery: DeliverInput) -> int:
    """Return how many tries the regular activity has; fewer, if a stranger's refusal came after some."""
    return (info.retry_policy and info.retry_policy.maximum_attempts) or delivery.regular_tries
