"""The start of runs for claims, and the release of claims whose run could not be started."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from operator import attrgetter

from xnovu_poller import log, metrics
from xnovu_poller.errors import TemporalError
from xnovu_poller.lifecycle import Attempt, Claim
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications import by_claim

_log = log.get(__name__)

CONCURRENT_STARTS = 20

StartRun = Callable[[Sequence[Claim]], Awaitable[None]]
"""Starts the run that these claims share; raises `TemporalError`."""


class Starter:
    """Starts the runs of claims, and releases the claims whose run could not be started.

    Attributes:
        stopped: the worker is stopping, so no further run is started.
    """

    def __init__(self, engine: Engine, start: StartRun) -> None:
        self._engine = engine
        self._start = start
        self._slots = asyncio.Semaphore(CONCURRENT_STARTS)
        self.stopped = False

    def stop(self) -> None:
        """Start no further run."""
        self.stopped = True

    async def hand_off(self, claims: Sequence[Claim]) -> None:
        """Start the runs of claims, and release the claims whose run could not be started.

        Raises:
            StoreUnavailable: claims could not be released; their leases lapse.
            TemporalError: the first reason why a run could not be started.
        """
        by_run = attrgetter("run_id")
        groups = [list(group) for _, group in groupby(sorted(claims, key=by_run), key=by_run)]
        results = await asyncio.gather(*(self._start_one(group) for group in groups))
        await self.release(
            [
                claim.attempt
                for group, result in zip(groups, results, strict=True)
                if result is not True
                for claim in group
            ]
        )
        for result in results:
            if isinstance(result, TemporalError):
                raise result

    async def release(self, attempts: Sequence[Attempt]) -> None:
        """Release claims. If their run starts late after all, it finds that its attempt has ended, and does nothing.

        Raises:
            StoreUnavailable: the leases lapse.
        """
        if attempts:
            released = await by_claim.release(self._engine, attempts)
            metrics.RELEASED.inc(len(released))
            _log.info("claims released", released=len(released))

    async def _start_one(self, group: Sequence[Claim]) -> bool | TemporalError:
        """Start one run; return whether it was started, or why Temporal did not start it."""
        async with self._slots:
            if self.stopped:
                return False
            try:
                await self._start(group)
            except TemporalError as error:
                return error
            log.each_step(_log, "notification handed off", (claim.facts for claim in group))
            return True
