"""The slow start after the gate was closed: few notifications at first, and twice as many each time all are served."""

from collections.abc import Callable
from datetime import timedelta

NO_LIMIT = 1024
"""A window that reaches this size is no limit any more."""

SILENCE = timedelta(seconds=15)
"""Notifications without an outcome for this long did not reach Novu, so others take their place."""

SILENCE_ONCE_SERVED = timedelta(seconds=2)
"""The same once a notification was served: Novu works, and the rest may have ended in other replicas."""


class Window:
    """How many notifications may be claimed before the outcomes of earlier notifications are known.

    Args:
        clock: returns seconds, like `time.monotonic`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._size: int | None = None  # None: no limit
        self._spent = 0
        self._served = 0
        self._renewed_at = 0.0

    @property
    def size(self) -> int | None:
        """How many notifications a window has; None while there is no limit."""
        return self._size

    def open(self, size: int, since: float) -> None:
        """Open a window of `size` notifications, none of them spent.

        Args:
            size: from `NO_LIMIT` on there is no limit.
            since: when the gate opens, by the clock; the window is renewed if it stays silent for `SILENCE` after it.
        """
        self._size = size if size < NO_LIMIT else None
        self._spent = 0
        self._served = 0
        self._renewed_at = max(self._clock(), since) + SILENCE.total_seconds()

    def allowance(self, limit: int) -> int:
        """Return how many notifications may be claimed now, at most `limit`."""
        if self._size is not None and self._clock() >= self._renewed_at:
            self.open(self._size * 2 if self._served else self._size, since=self._clock())
        return limit if self._size is None else min(limit, max(0, self._size - self._spent))

    def spend(self, count: int) -> None:
        """Count claimed notifications."""
        self._spent += count

    def refund(self, count: int) -> None:
        """Give back the share of notifications that ended without a call to Novu, so that others can use it."""
        self._spent = max(0, self._spent - count)
        if self._served:
            self._widen()

    def serve(self) -> None:
        """Count a notification that Novu served."""
        if self._size is None:
            return
        self._served += 1
        self._renewed_at = min(self._renewed_at, self._clock() + SILENCE_ONCE_SERVED.total_seconds())
        self._widen()

    def _widen(self) -> None:
        """Open a window of twice the size once all notifications of the current window are served."""
        if self._size is not None and self._served >= self._spent:
            self.open(self._size * 2, since=self._clock())
