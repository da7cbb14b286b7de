"""The boundary of every activity: it refuses another deployment's input, and lets only our own sentences out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from xnovu_poller import log
from xnovu_poller.errors import XnovuError
from xnovu_poller.temporal.foreign_deployment import build_refusal
from xnovu_poller.temporal.translate import to_application_error

_log = log.get(__name__)


class ActivityBoundary:
    """Guards the activities of one class.

    Args:
        deployment: the only one whose input they accept.
    """

    def __init__(self, deployment: str) -> None:
        self._deployment = deployment
        self._logged: set[str] = set()

    @asynccontextmanager
    async def guard(self, deployment: str, heartbeat_timeout: timedelta) -> AsyncIterator[None]:
        """Heartbeat inside the block, and translate its errors, because what leaves it stays in Temporal's history.

        Args:
            deployment: the owner of the input.
            heartbeat_timeout: of the activity; a local activity has none and does not heartbeat.

        Raises:
            ApplicationError: the block failed, or the input belongs to another deployment.
        """
        if deployment != self._deployment:
            raise self._refuse(deployment)
        beating = None if activity.info().is_local else asyncio.create_task(_heartbeat(heartbeat_timeout))
        try:
            yield
        except XnovuError as error:
            raise to_application_error(error) from None
        except Exception as error:  # noqa: BLE001 - only the name of a bug may reach Temporal
            log.bug(_log, "activity has a bug", error)
            raise ApplicationError(f"a bug: {type(error).__name__}", type=XnovuError.code) from None
        finally:
            if beating is not None:
                beating.cancel()

    def _refuse(self, deployment: str) -> ApplicationError:
        """Log each foreign deployment once, and return the error that leaves its input to its own executors."""
        if deployment not in self._logged:
            self._logged.add(deployment)
            _log.warning("another deployment shares our task queue", theirs=deployment[:8])
        return build_refusal(activity.info().attempt - 1)


async def _heartbeat(silence: timedelta) -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(silence.total_seconds() / 4)
