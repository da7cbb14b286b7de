"""What PostgreSQL and Temporal know of a worker's work: asked now and then, only while somebody looks."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from xnovu_poller import log
from xnovu_poller.errors import XnovuError
from xnovu_poller.lifecycle import PauseScope
from xnovu_poller.service.parts import Parts
from xnovu_poller.settings import Settings
from xnovu_poller.store import pauses, schema
from xnovu_poller.store.notifications.backlog import oldest_due
from xnovu_poller.store.notifications.waiting import Waiting, read_waiting
from xnovu_poller.temporal.delivery.census import take_census
from xnovu_poller.web.health import PROBE_SECONDS

_log = log.get(__name__)

SHORT, LONG = timedelta(seconds=1), timedelta(seconds=15)
"""The time between two looks: at the oldest rows, and at the rest."""

SHOWN = 20
"""Without METRICS_ENTERPRISES, /status names this many enterprises."""

Answer = TypeVar("Answer")


class Look(Generic[Answer]):
    """Asks at most once in a while, and never twice at the same time; a reader waits for PROBE_SECONDS at most.

    Args:
        ask: the question.
        every: the time between two questions.
    """

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, Answer]], every: timedelta) -> None:
        self._ask = ask
        self._every = every.total_seconds()
        self._asking: asyncio.Task[Answer | None] | None = None
        self._asked_at = float("-inf")

    async def read(self) -> Answer | None:
        """Return the last answer; None if the server did not answer, or has not answered yet."""
        is_over = self._asking is None or self._asking.done()
        if self._asking is None or (is_over and time.monotonic() - self._asked_at >= self._every):
            self._asked_at = time.monotonic()
            self._asking = asyncio.create_task(self._answer(), name="look")
        asking = self._asking
        await asyncio.wait([asking], timeout=PROBE_SECONDS)
        return asking.result() if asking.done() and not asking.cancelled() else None

    async def _answer(self) -> Answer | None:
        try:
            return await self._ask()
        except XnovuError:
            return None
        except Exception as error:  # noqa: BLE001 - a page answers even if a look has a bug
            log.bug(_log, "look failed", error)
            return None


class Looks:
    """The looks of a worker.

    Attributes:
        oldest_due: for how long the oldest row of each loop has been due.
        pauses: how much is paused, by scope.
        waiting: the enterprises that have waited longest.
        names: whether a reader may see names of enterprises.
    """

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.names = settings.worker_http_token is not None
        self.oldest_due: Look[Mapping[str, timedelta | None]] = Look(partial(oldest_due, parts.engine), SHORT)
        most = settings.metrics_enterprises or SHOWN
        self.waiting: Look[Mapping[str, Waiting]] = Look(partial(read_waiting, parts.aside, most), LONG)
        self.pauses: Look[Mapping[PauseScope, int]] = Look(partial(pauses.count, parts.engine), SHORT)
        self._served = settings.worker_enterprise_ids
        self._breaker = parts.gate.breaker
        self._schema = Look(partial(schema.describe, parts.aside), LONG)
        self._temporal = Look(
            partial(take_census, parts.client, parts.deployment, settings.temporal_task_queue), LONG
        )

    async def describe(self) -> dict[str, Any]:
        """Describe for /status what the servers know; None where a server does not answer in time."""
        found, temporal, enterprises, paused = await asyncio.gather(
            self._schema.read(), self._temporal.read(), self._describe_enterprises(), self.pauses.read()
        )
        breakers = self._breaker.describe(SHOWN) if self.names else None
        return {
            "schema": found,
            "temporal": temporal,
            "enterprises": enterprises,
            "breakers": breakers,
            "pauses": paused,
        }

    async def _describe_enterprises(self) -> dict[str, Any] | None:
        waiting = await self.waiting.read() if self.names else None
        if waiting is None:
            return None
        return {
            "served": self._served and self._served[:SHOWN],
            "waiting": {
                enterprise: {"due": each.due, "oldest_due_seconds": round(each.oldest.total_seconds(), 3)}
                for enterprise, each in waiting.items()
            },
        }
