"""The wait after a failure grows, is spread, and has an end."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xnovu_poller import pacing


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [
        (1, 5, 10),
        (2, 10, 20),
        (3, 20, 40),
        (7, 320, 640),
        (9, 1280, 2560),
        (10, 1800, 3600),
        (1000, 1800, 3600),
    ],
)
def test_the_table_of_examples_holds(failures: int, least: int, most: int) -> None:
    """Each row of the docstring's table, in seconds."""
    assert pacing.failure_pause(failures, lambda: 0.0) == timedelta(seconds=least)
    assert pacing.failure_pause(failures, lambda: 1.0) == timedelta(seconds=most)


@given(st.integers(min_value=1, max_value=10_000), st.floats(min_value=0, max_value=1))
def test_a_wait_never_passes_the_longest(failures: int, drawn: float) -> None:
    """However often it failed, it is tried again within the hour."""
    assert pacing.FAILURE_FIRST / 2 <= pacing.failure_pause(failures, lambda: drawn) <= pacing.FAILURE_LONGEST


def test_two_waits_differ() -> None:
    """Notifications that failed together do not return together."""
    assert len({pacing.failure_pause(5) for _ in range(20)}) > 1
