"""The activities: deliver a group, or record that nothing more was heard of it."""

from datetime import timedelta

from temporalio import activity

from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.boundary import ActivityBoundary
from xnovu_poller.temporal.contract import DeliverInput

_LOCAL_BUDGET = timedelta(seconds=1)

_LAST_WRITE = timedelta(seconds=2)
"""So long before its timeout an activity begins no further write."""


class DeliveryActivities:
    """Carries out activities with the tools of its process.

    Args:
        delivery: the walk of a group.
        deployment: whose notifications this process may touch.
    """

    def __init__(self, delivery: Delivery, deployment: str) -> None:
        self._delivery = delivery
        self._edge = ActivityBoundary(deployment)

    @activity.defn(name=contract.DELIVER)
    async def deliver(self, work: DeliverInput) -> str | None:
        """Deliver a group; its rows tell how it went.

        Returns:
            How it went, where it is a single notification, and not late.

        Raises:
            ApplicationError: to be tried again, or the group is another deployment's.
        """
        async with self._edge.guard(work.deployment, contract.heartbeat_timeout(work.call)):
            info = activity.info()
            local = info.is_local
            limit = contract.local_timeout(work.call) if local else contract.regular_timeout(work.call)
            budget = _LOCAL_BUDGET if local else limit - 2 * work.call
            last = not local and info.attempt >= _tries(info, work)
            endings = await self._delivery.deliver(
                work.pairs(), last=last, budget=budget, limit=limit - _LAST_WRITE
            )
        return endings[0].name if work.single and endings else None

    @activity.defn(name=contract.LOSE)
    async def lose(self, work: DeliverInput, counted: bool = True) -> None:  # noqa: FBT001, FBT002 - Temporal passes by position
        """Record as failed what is still PROCESSING at this attempt, unless somebody is sending it.

        Args:
            work: the group.
            counted: whether that brings its rows nearer to DEAD.

        Raises:
            ApplicationError: to be tried again, or the group is another deployment's.
        """
        async with self._edge.guard(work.deployment, contract.heartbeat_timeout(work.call)):
            await self._delivery.lose(work.pairs(), counted=counted)


def _tries(info: activity.Info, work: DeliverInput) -> int:
    """Say how many tries the regular activity has; fewer, if a stranger's refusal came after some."""
    return (info.retry_policy and info.retry_policy.maximum_attempts) or work.regular_tries
