"""The activities: deliver a group, or record that contact with its delivery was lost."""

from collections.abc import Mapping
from datetime import timedelta

from temporalio import activity

from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.errors import LostContact
from xnovu_poller.lifecycle import Status
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.boundary import ActivityBoundary
from xnovu_poller.temporal.contract import DeliverInput

_LOCAL_BUDGET = timedelta(seconds=1)
"""A local try starts further calls only this long; the rest is left to a regular try, which has minutes."""

_LAST_WRITE = timedelta(seconds=2)
"""An activity starts no further write when its timeout is this near."""


class DeliveryActivities:
    """The activities of deliveries.

    Args:
        deployment: the owner of the notifications that this process may touch.
    """

    def __init__(self, delivery: Delivery, deployment: str) -> None:
        self._delivery = delivery
        self._boundary = ActivityBoundary(deployment)

    @activity.defn(name=contract.DELIVER)
    async def deliver(self, delivery: DeliverInput) -> str | None:
        """Deliver a group; each notification has its own outcome.

        Returns:
            The state that was written, with the code if it is DEAD; None for a group, or if the notification was late.

        Raises:
            ApplicationError: try again; or the group belongs to another deployment.
        """
        async with self._boundary.guard(delivery.deployment, contract.heartbeat_timeout(delivery.call)):
            info = activity.info()
            local = info.is_local
            limit = (
                contract.local_timeout(delivery.call) if local else contract.regular_timeout(delivery.call)
            )
            budget = _LOCAL_BUDGET if local else limit - 2 * delivery.call
            last = not local and info.attempt >= _tries(info, delivery)
            delivered = await self._delivery.deliver(
                delivery.read_attempts(), last=last, budget=budget, limit=limit - _LAST_WRITE
            )
        return _outcome(delivery, delivered.states, delivered.codes)

    @activity.defn(name=contract.RECORD_LOST_CONTACT)
    async def record_lost_contact(self, delivery: DeliverInput, counted: bool = True) -> str | None:  # noqa: FBT001, FBT002 - Temporal passes by position
        """Record the attempts as failed, except rows that another attempt has or that somebody is sending.

        Args:
            counted: the sender may have died, so the failure may count.

        Returns:
            The state that was written, with the code if it is DEAD; None for a group, or if the notification was late.

        Raises:
            ApplicationError: try again; or the group belongs to another deployment.
        """
        async with self._boundary.guard(delivery.deployment, contract.heartbeat_timeout(delivery.call)):
            states = await self._delivery.record_lost_contact(delivery.read_attempts(), counted=counted)
        return _outcome(delivery, states, dict.fromkeys(states, LostContact.code))


def _outcome(delivery: DeliverInput, states: Mapping[int, Status], codes: Mapping[int, str]) -> str | None:
    """Return the state that was written for a single notification, and why it is DEAD; a group has no single outcome."""
    if len(states) != 1 or not delivery.single:
        return None
    [(id_, state)] = states.items()
    return contract.describe_death(codes.get(id_)) if state is Status.DEAD else state.value


def _tries(info: activity.Info, delivery: DeliverInput) -> int:
    """Return how many tries the regular activity has: fewer if some were made before another deployment's
    executor refused it.
    """
    return (info.retry_policy and info.retry_policy.maximum_attempts) or delivery.regular_tries
