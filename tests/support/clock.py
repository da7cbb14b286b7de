"""A clock that the test controls."""

from datetime import timedelta

import pytest


class Clock:
    """Time that passes only when `advance` is called."""

    def __init__(self) -> None:
        """Start at an arbitrary time."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    def advance(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span.total_seconds()


@pytest.fixture
def clock() -> Clock:
    """Return a clock that the test controls."""
    return Clock()
