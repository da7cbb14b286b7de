"""A workflow that fails while others work is probed by one notification at a time, and nobody else waits."""

from datetime import timedelta

import pytest

from tests.support.clock import Clock
from xnovu_poller.backpressure.breaker import (
    PAUSE,
    PROBE_SILENCE,
    SERVED_LATELY,
    TRIPS_AT,
    TROUBLES_KEPT,
    Breaker,
)
from xnovu_poller.errors import NovuRejected, NovuThrottled, NovuUnanswered
from xnovu_poller.lifecycle import Accepted, Origin, Outcome, Refused, Unknown

ACCEPTED = Accepted()
REJECTED = Refused(NovuRejected(422, "bad"))
THROTTLED = Refused(NovuThrottled(timedelta(seconds=1)))
UNKNOWN = Unknown(NovuUnanswered("500"))


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """Return a new breaker whose pauses are exact."""
    return Breaker(clock, lambda: 0.0)


def xn(number: int, enterprise: str = "acme") -> Origin:
    """Return a notification of the enterprise's workflow."""
    return Origin(enterprise, "order-shipped", f"xn-{number}")


def trip(breaker: Breaker) -> None:
    """Leave enough notifications unanswered to trip the breaker."""
    for number in range(TRIPS_AT):
        breaker.observe(xn(number), UNKNOWN)


def probes(breaker: Breaker, numbers: range) -> list[int]:
    """Return the notifications that may be sent, in the order of asking."""
    return [number for number in numbers if breaker.wait(xn(number)) is None]


def test_a_few_unanswered_notifications_do_not_trip_a_workflow(breaker: Breaker) -> None:
    """Repeats of the same notification do not count."""
    for number in [*range(TRIPS_AT - 1), 0, 0, 0]:
        breaker.observe(xn(number), UNKNOWN)
    assert breaker.wait(xn(9)) is None
    assert breaker.tripped == 0


@pytest.mark.parametrize("answer", [ACCEPTED, REJECTED])
def test_any_answer_resets_the_count(breaker: Breaker, answer: Outcome) -> None:
    """Accepted or refused for good: Novu can serve this workflow."""
    for number in range(TRIPS_AT - 1):
        breaker.observe(xn(number), UNKNOWN)
    breaker.observe(xn(7), answer)
    breaker.observe(xn(8), UNKNOWN)
    assert breaker.wait(xn(9)) is None


def test_all_notifications_of_a_tripped_workflow_wait(breaker: Breaker, clock: Clock) -> None:
    """Another enterprise's workflow with the same key is not affected."""
    trip(breaker)
    assert breaker.wait(xn(9)) == PAUSE[0]
    assert breaker.is_tripped(xn(9))
    assert breaker.wait(xn(9, "globex")) is None
    assert not breaker.is_tripped(xn(9, "globex"))
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 15)) == [10]


def test_an_answered_probe_resets_the_breaker(breaker: Breaker, clock: Clock) -> None:
    """From then on every notification is sent."""
    trip(breaker)
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 12)) == [10]
    breaker.observe(xn(10), ACCEPTED)
    assert breaker.tripped == 0
    assert probes(breaker, range(11, 15)) == [11, 12, 13, 14]


def test_each_unanswered_probe_doubles_the_pause_up_to_the_longest(breaker: Breaker, clock: Clock) -> None:
    """Calls that were already in flight when it tripped do not double the pause."""
    trip(breaker)
    breaker.observe(xn(6), UNKNOWN)
    waits = []
    for number in range(20, 32):
        waits.append(breaker.wait(xn(99)))
        clock.advance(waits[-1] or timedelta(0))
        assert breaker.wait(xn(number)) is None
        breaker.observe(xn(number), UNKNOWN)
    assert waits == [min(PAUSE[0] * 2**step, PAUSE[1]) for step in range(12)]


def test_each_probe_is_another_notification(breaker: Breaker, clock: Clock) -> None:
    """A fault that may be one notification's own is not held against its workflow."""
    trip(breaker)
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 12)) == [10]
    breaker.observe(xn(10), UNKNOWN)
    clock.advance(2 * PAUSE[0])
    assert probes(breaker, range(10, 13)) == [11]


def test_a_lone_notification_probes_again(breaker: Breaker, clock: Clock) -> None:
    """It probes at once if no other was turned away, and after a while if the others are gone."""
    trip(breaker)
    clock.advance(PAUSE[0])
    for _ in range(2):
        assert probes(breaker, range(10, 11)) == [10]
        breaker.observe(xn(10), UNKNOWN)
        clock.advance(PAUSE[1])
    assert probes(breaker, range(10, 12)) == [10]
    breaker.observe(xn(10), UNKNOWN)
    clock.advance(PAUSE[1] + PROBE_SILENCE)
    assert probes(breaker, range(10, 11)) == [10]


def test_a_notification_waits_a_whole_pause_while_another_probes(breaker: Breaker, clock: Clock) -> None:
    """Otherwise a long backlog would come round again and again while one call hangs."""
    trip(breaker)
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 11)) == [10]
    breaker.observe(xn(10), UNKNOWN)
    clock.advance(2 * PAUSE[0])
    assert probes(breaker, range(11, 12)) == [11]
    assert breaker.wait(xn(12)) == 2 * PAUSE[0]


def test_a_silent_probe_is_replaced(breaker: Breaker, clock: Clock) -> None:
    """It may have been withdrawn, or its process may have died."""
    trip(breaker)
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 12)) == [10]
    clock.advance(PROBE_SILENCE)
    assert probes(breaker, range(11, 13)) == [11]


def test_a_throttled_probe_is_replaced(breaker: Breaker, clock: Clock) -> None:
    """Novu's pause applies to everybody, so it proves nothing about this workflow, which stays tripped."""
    trip(breaker)
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 12)) == [10]
    breaker.observe(xn(10), THROTTLED)
    assert breaker.is_tripped(xn(11))
    assert probes(breaker, range(11, 13)) == [11]


def test_the_breaker_knows_whether_novu_lately_served_others(breaker: Breaker, clock: Clock) -> None:
    """A workflow's own acceptances prove nothing about the others."""
    breaker.observe(xn(1), ACCEPTED)
    assert not breaker.others_served(xn(2))
    assert breaker.others_served(xn(2, "globex"))
    breaker.observe(xn(3, "globex"), ACCEPTED)
    breaker.observe(xn(4, "initech"), ACCEPTED)
    assert breaker.others_served(xn(2))
    clock.advance(SERVED_LATELY + PAUSE[0])
    assert not breaker.others_served(xn(2))


def test_its_memory_is_bounded(breaker: Breaker) -> None:
    """Enterprises can name any number of workflows; the least recently seen is forgotten first."""
    trip(breaker)
    for number in range(TROUBLES_KEPT):
        breaker.observe(xn(1, f"enterprise-{number}"), UNKNOWN)
    assert breaker.wait(xn(9)) is None
