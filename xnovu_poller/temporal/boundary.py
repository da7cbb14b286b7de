"""The edge of every activity: it refuses what is another deployment's, and lets out no words but our own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from xnovu_poller import log
from xnovu_poller.errors import XnovuError
from xnovu_poller.lifecycle import seconds
from xnovu_poller.temporal.foreign_deployment import refusal
from xnovu_poller.temporal.translate import to_application_error

_log = log.get(__name__)


class ActivityBoundary:
    """Stands around the activities of one class.

    Args:
        deployment: whose input they take.
    """

    def __init__(self, deployment: str) -> None:
        self._deployment = deployment
        self._strangers: set[str] = set()

    @asynccontextmanager
    async def around(self, theirs: str, silence: timedelta) -> AsyncIterator[None]:
        """Heartbeat within, and let nothing but our own sentences out: whatever leaves stands in history.

        Args:
            theirs: whose the input is.
            silence: the heartbeat timeout of the activity, unless it is a local one.

        Raises:
            ApplicationError: whatever went wrong, or the input is another deployment's.
        """
        if theirs != self._deployment:
            raise self._refusal(theirs)
        beats = None if activity.info().is_local else asyncio.create_task(_beat(silence))
        try:
            yield
        except XnovuError as error:
            raise to_application_error(error) from None
        except Exception as error:  # noqa: BLE001 - the edge: a bug is told to Temporal by its name alone
            name = type(error).__name__
            _log.error("activity has a bug", bug=name, at=log.trace(error))
            raise ApplicationError(f"a bug: {name}", type=XnovuError.code) from None
        finally:
            if beats is not None:
                beats.cancel()

    def _refusal(self, theirs: str) -> ApplicationError:
        """Leave another deployment's input to its own executors; the log names each deployment once."""
        if theirs not in self._strangers:
            self._strangers.add(theirs)
            _log.warning("another deployment shares our task queue", theirs=theirs[:8])
        return refusal(activity.info().attempt - 1)


async def _beat(silence: timedelta) -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(seconds(silence) / 4)
