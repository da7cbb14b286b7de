"""Deletes what has ended long ago, at a pace that the other loops do not feel."""

import time
from datetime import timedelta

from xnovu_poller import log, metrics
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.purge import purge

_log = log.get(__name__)

INTERVAL = timedelta(minutes=10)
"""Between two walks over what is old."""

SHARE = 0.2
"""Of its time a purge that has much to do works; the rest of it, it rests."""


class Purge:
    """Walks over the old notifications and deletes those that have ended, a slice a turn.

    Several replicas do no harm: the one that meets another at work leaves it to that one.

    Args:
        engine: where the rows are.
        keep: for how long ended rows stay.
    """

    name = "purge"
    interval = INTERVAL

    def __init__(self, engine: Engine, keep: timedelta) -> None:
        self._engine = engine
        self._keep = keep
        self._after = 0
        self._walked = 0
        self._stopped = False

    def stop(self) -> None:
        """Begin no further slice."""
        self._stopped = True

    async def turn(self) -> timedelta:
        """Purge one slice; if the process dies, the next walk deletes what is left.

        Returns:
            A multiple of the time it took while there may be more, else the interval.

        Raises:
            StoreUnavailable: PostgreSQL does not answer; the next walk begins anew.
        """
        if self._stopped:
            return self.interval
        after, self._after = self._after, 0
        begun = time.monotonic()
        purged = await purge(self._engine, after, self._keep)
        took = timedelta(seconds=time.monotonic() - begun)
        metrics.PURGED.inc(purged.deleted)
        self._walked += purged.deleted
        if purged.after is not None:
            self._after = purged.after
            return min(took * (1 / SHARE - 1), self.interval / 2)
        if self._walked:
            _log.info("old notifications purged", purged=self._walked)
        self._walked = 0
        return self.interval
