"""The activities: deliver a group, or record that nothing more was heard of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NoReturn

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from xnovu_poller import log
from xnovu_poller.delivery.deliver import Delivery
from xnovu_poller.errors import XnovuError
from xnovu_poller.lifecycle import seconds
from xnovu_poller.temporal import contract
from xnovu_poller.temporal.contract import Deliver
from xnovu_poller.temporal.failures import to_temporal

_log = log.get(__name__)

STRANGER = "stranger"
"""The type of the error by which an executor refuses another deployment's input.

Its detail says how many tries came before it: the refusal is none.
"""

_LOCAL_BUDGET = timedelta(seconds=1)

_LAST_WRITE = timedelta(seconds=2)
"""So long before its timeout an activity begins no further write."""


class Executor:
    """Carries out activities with the tools of its process.

    Args:
        delivery: the walk of a group.
        deployment: whose notifications this process may touch.
    """

    def __init__(self, delivery: Delivery, deployment: str) -> None:
        self._delivery = delivery
        self._deployment = deployment
        self._strangers: set[str] = set()

    @activity.defn(name=contract.DELIVER)
    async def deliver(self, work: Deliver) -> str | None:
        """Deliver a group; its rows tell how it went.

        Returns:
            How it went, where it is a single notification, and not late.

        Raises:
            ApplicationError: to be tried again, or the group is another deployment's.
        """
        async with self._edge(work):
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
    async def lose(self, work: Deliver, counted: bool = True) -> None:  # noqa: FBT001, FBT002 - Temporal passes by position
        """Record as failed what is still PROCESSING at this attempt, unless somebody is sending it.

        Args:
            work: the group.
            counted: whether that brings its rows nearer to DEAD.

        Raises:
            ApplicationError: to be tried again, or the group is another deployment's.
        """
        async with self._edge(work):
            await self._delivery.lose(work.pairs(), counted=counted)

    @asynccontextmanager
    async def _edge(self, work: Deliver) -> AsyncIterator[None]:
        """Heartbeat within, and let nothing but our own sentences out: whatever leaves stands in history."""
        if work.deployment != self._deployment:
            self._refuse(work.deployment)
        beats = None if activity.info().is_local else asyncio.create_task(_beat(work.call))
        try:
            yield
        except XnovuError as error:
            raise to_temporal(error) from None
        except Exception as error:  # noqa: BLE001 - the edge: a bug is told to Temporal by its name alone
            name = type(error).__name__
            _log.error("activity has a bug", bug=name, at=log.trace(error))
            raise ApplicationError(f"a bug: {name}", type=XnovuError.code) from None
        finally:
            if beats is not None:
                beats.cancel()

    def _refuse(self, deployment: str) -> NoReturn:
        """Leave another deployment's input to its own executors; the log names each deployment once."""
        if deployment not in self._strangers:
            self._strangers.add(deployment)
            _log.warning("another deployment shares our task queue", theirs=deployment[:8])
        raise ApplicationError(
            "another deployment's",
            activity.info().attempt - 1,
            type=STRANGER,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        )


def _tries(info: activity.Info, work: Deliver) -> int:
    """Say how many tries the regular activity has; fewer, if a stranger's refusal came after some."""
    return (info.retry_policy and info.retry_policy.maximum_attempts) or work.regular_tries


async def _beat(call: timedelta) -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(seconds(contract.heartbeat_timeout(call)) / 4)
