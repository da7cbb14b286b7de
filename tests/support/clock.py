"""A clock that a test moves."""

from datetime import timedelta

import pytest


class Clock:
    """Time that passes only when a test advances it."""

    def __init__(self) -> None:
        """Begin at some time or other."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now

    def advance(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span.total_seconds()


@pytest.fixture
def clock() -> Clock:
    """Give time in the test's hand."""
    return Clock()
