"""A workflow that fails by itself is tried by one notification at a time, and nobody else waits."""

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
from xnovu_poller.lifecycle import Accepted, Outcome, Refused, Sender, Unknown

ACCEPTED = Accepted()
REJECTED = Refused(NovuRejected(422, "bad"))
THROTTLED = Refused(NovuThrottled(timedelta(seconds=1)))
UNKNOWN = Unknown(NovuUnanswered("500"))


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """A new breaker whose pauses are exact."""
    return Breaker(clock, lambda: 0.0)


def xn(number: int, enterprise: str = "acme") -> Sender:
    """One notification of an enterprise's workflow."""
    return Sender(enterprise, "order-shipped", f"xn-{number}")


def trip(breaker: Breaker) -> None:
    """Let as many notifications go without an answer as it takes."""
    for number in range(TRIPS_AT):
        breaker.observe(xn(number), UNKNOWN)


def probes(breaker: Breaker, numbers: range) -> list[int]:
    """Ask for several notifications at once; give those that may be sent."""
    return [number for number in numbers if breaker.wait(xn(number)) is None]


def test_a_few_unanswered_notifications_are_their_own_matter(breaker: Breaker) -> None:
    """One less than it takes, and the same one again and again, trip nothing."""
    for number in [*range(TRIPS_AT - 1), 0, 0, 0]:
        breaker.observe(xn(number), UNKNOWN)
    assert breaker.wait(xn(9)) is None
    assert breaker.tripped == 0


@pytest.mark.parametrize("answer", [ACCEPTED, REJECTED])
def test_an_answer_between_begins_the_count_anew(breaker: Breaker, answer: Outcome) -> None:
    """Accepted or refused for good: Novu can serve this workflow."""
    for number in range(TRIPS_AT - 1):
        breaker.observe(xn(number), UNKNOWN)
    breaker.observe(xn(7), answer)
    breaker.observe(xn(8), UNKNOWN)
    assert breaker.wait(xn(9)) is None


def test_a_tripped_workflow_turns_all_of_its_notifications_away(breaker: Breaker, clock: Clock) -> None:
    """They are told how long; another enterprise's workflow of the same key is not concerned."""
    trip(breaker)
    assert breaker.wait(xn(9)) == PAUSE[0]
    assert breaker.is_tripped(xn(9))
    assert breaker.wait(xn(9, "globex")) is None
    assert not breaker.is_tripped(xn(9, "globex"))
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 15)) == [10]


def test_an_answered_probe_mends_it(breaker: Breaker, clock: Clock) -> None:
    """From then on every notification is sent."""
    trip(breaker)
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 12)) == [10]
    breaker.observe(xn(10), ACCEPTED)
    assert breaker.tripped == 0
    assert probes(breaker, range(11, 15)) == [11, 12, 13, 14]


def test_each_unanswered_probe_doubles_the_pause_up_to_the_longest(breaker: Breaker, clock: Clock) -> None:
    """Calls that were under way when it tripped do not."""
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
    """What may be one notification's fault is not held against its workflow."""
    trip(breaker)
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 12)) == [10]
    breaker.observe(xn(10), UNKNOWN)
    clock.advance(2 * PAUSE[0])
    assert probes(breaker, range(10, 13)) == [11]


def test_a_lone_notification_probes_again(breaker: Breaker, clock: Clock) -> None:
    """At once if no other was turned away, and after a while if the others are gone."""
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


def test_who_comes_while_another_probes_waits_a_whole_pause(breaker: Breaker, clock: Clock) -> None:
    """A long backlog is not to go round and round while one call hangs."""
    trip(breaker)
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 11)) == [10]
    breaker.observe(xn(10), UNKNOWN)
    clock.advance(2 * PAUSE[0])
    assert probes(breaker, range(11, 12)) == [11]
    assert breaker.wait(xn(12)) == 2 * PAUSE[0]


def test_a_probe_that_is_not_heard_of_gives_its_place_to_another(breaker: Breaker, clock: Clock) -> None:
    """It may have been withdrawn, or its process may have died."""
    trip(breaker)
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 12)) == [10]
    clock.advance(PROBE_SILENCE)
    assert probes(breaker, range(11, 13)) == [11]


def test_a_probe_that_novu_could_serve_to_nobody_gives_its_place_to_another(
    breaker: Breaker, clock: Clock
) -> None:
    """A pause for all says nothing of one workflow, which stays tripped."""
    trip(breaker)
    clock.advance(PAUSE[0])
    assert probes(breaker, range(10, 12)) == [10]
    breaker.observe(xn(10), THROTTLED)
    assert breaker.is_tripped(xn(11))
    assert probes(breaker, range(11, 13)) == [11]


def test_it_is_known_whether_novu_serves_others(breaker: Breaker, clock: Clock) -> None:
    """For a while; its own acceptances are no proof."""
    breaker.observe(xn(1), ACCEPTED)
    assert not breaker.others_served(xn(2))
    assert breaker.others_served(xn(2, "globex"))
    breaker.observe(xn(3, "globex"), ACCEPTED)
    breaker.observe(xn(4, "initech"), ACCEPTED)
    assert breaker.others_served(xn(2))
    clock.advance(SERVED_LATELY + PAUSE[0])
    assert not breaker.others_served(xn(2))


def test_what_is_remembered_is_bounded(breaker: Breaker) -> None:
    """Enterprises name their workflows; the longest unheard of is forgotten first."""
    trip(breaker)
    for number in range(TROUBLES_KEPT):
        breaker.observe(xn(1, f"enterprise-{number}"), UNKNOWN)
    assert breaker.wait(xn(9)) is None
