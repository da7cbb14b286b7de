"""The window after a closure of the gate: from one notification to no limit."""

from datetime import timedelta

import pytest

from tests.support.clock import Clock
from xnovu_poller.backpressure.window import NO_LIMIT, SILENCE, SILENCE_ONCE_SERVED, Window

MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def window(clock: Clock) -> Window:
    """Return a window of one notification, opened now."""
    made = Window(clock)
    made.open(1, since=clock())
    return made


def test_without_a_closure_there_is_no_limit(clock: Clock) -> None:
    """A gate that never closed counts nothing."""
    made = Window(clock)
    made.spend(10_000)

    assert (made.allowance(500), made.size) == (500, None)


def test_it_doubles_each_time_all_are_served_until_there_is_no_limit(window: Window) -> None:
    """The whole backlog must not hit Novu at once."""
    sizes = []
    while (size := window.size) is not None:
        sizes.append(size)
        assert window.allowance(NO_LIMIT) == size
        window.spend(size)
        assert window.allowance(NO_LIMIT) == 0
        for _ in range(size):
            window.serve()

    assert sizes == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


def test_a_refund_lets_others_go_instead(window: Window) -> None:
    """A notification that ended without a call proves nothing about Novu."""
    window.spend(1)
    window.refund(1)

    assert window.allowance(10) == 1


def test_a_silent_window_is_renewed(window: Window, clock: Clock) -> None:
    """Notifications that were let out and never heard of again did not reach Novu."""
    window.spend(1)
    clock.advance(SILENCE - MOMENT)
    assert window.allowance(10) == 0

    clock.advance(2 * MOMENT)
    assert window.allowance(10) == 1


def test_once_one_is_served_the_silent_rest_is_soon_replaced(clock: Clock) -> None:
    """Another replica may have sent the rest; the new window is twice as large."""
    window = Window(clock)
    window.open(2, since=clock())
    window.spend(2)
    window.serve()
    clock.advance(SILENCE_ONCE_SERVED + MOMENT)

    assert window.allowance(10) == 4
