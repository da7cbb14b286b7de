"""A clock in the test's hand."""

from datetime import timedelta

import pytest

from xnovu_poller.lifecycle import seconds


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        """Begin at some time or other."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now

    def advance(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += seconds(span)


@pytest.fixture
def clock() -> Clock:
    """Give time in the test's hand."""
    return Clock()
