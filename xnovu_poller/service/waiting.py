"""The wait of a starting process for PostgreSQL and Temporal; it keeps the reason for /health."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from xnovu_poller import log
from xnovu_poller.errors import StoreUnavailable, TemporalError, XnovuError
from xnovu_poller.pacing import Backoff, unless_stopped

_log = log.get(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=30)

_STARTING = "starting"

Result = TypeVar("Result")


class StartWait:
    """Waits for the servers that a start needs.

    Attributes:
        reason: why the process does not work, while it starts or stops; None while it works.
        error: of the server that the start waits for; None while it waits for none.
    """

    def __init__(self) -> None:
        self.reason: str | None = _STARTING
        self.error: XnovuError | None = None

    async def until_answered(
        self, ask: Callable[[], Coroutine[Any, Any, Result]], stop: asyncio.Event
    ) -> Result | None:
        """Ask until a server answers, with growing pauses.

        Returns:
            The answer, or None if `stop` was set first.

        Raises:
            SchemaBehind: at once, because waiting does not help.
            DeploymentDisputed: at once, because waiting does not help.
        """
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while not stop.is_set():
            try:
                answer = await unless_stopped(stop, ask())
            except (StoreUnavailable, TemporalError) as error:
                self.reason, self.error = str(error), error
                pause = backoff.next().total_seconds()
                _log.warning("start waits", reason=str(error), again_in_seconds=pause)
            else:
                self.reason, self.error = _STARTING, None
                return answer
            await unless_stopped(stop, asyncio.sleep(pause))
        return None
