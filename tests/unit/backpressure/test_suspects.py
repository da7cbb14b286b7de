"""A refusal is the notification's own fault if Novu serves others meanwhile."""

from datetime import timedelta

import pytest

from tests.support.clock import Clock
from xnovu_poller.backpressure.suspects import SUSPECTS_KEPT, Suspects

SECOND = timedelta(seconds=1)


@pytest.fixture
def suspects(clock: Clock) -> Suspects:
    """Nobody is suspected yet."""
    return Suspects(clock)


def serve_another(suspects: Suspects, clock: Clock) -> None:
    """Let Novu serve another notification, a second later."""
    clock.advance(SECOND)
    suspects.serve("xn-well", clock())


def test_a_refusal_is_no_fault_while_nobody_is_served(suspects: Suspects, clock: Clock) -> None:
    """In an outage all are refused."""
    for _ in range(50):
        suspects.refuse("xn-1")
        clock.advance(SECOND)
        assert not suspects.blame("xn-1")


def test_a_refusal_is_its_own_fault_once_another_is_served(suspects: Suspects, clock: Clock) -> None:
    """Each failure needs a proof of its own."""
    suspects.refuse("xn-1")
    serve_another(suspects, clock)
    clock.advance(SECOND)
    assert [suspects.blame("xn-1"), suspects.blame("xn-1")] == [True, False]
    serve_another(suspects, clock)
    assert suspects.blame("xn-1")


def test_a_call_that_began_before_the_refusal_proves_nothing(suspects: Suspects, clock: Clock) -> None:
    """Its answer may be the last before an outage."""
    began_at = clock()
    clock.advance(SECOND)
    suspects.refuse("xn-1")
    suspects.serve("xn-well", began_at)
    assert not suspects.is_guilty("xn-1")


def test_a_notification_that_is_served_is_forgotten(suspects: Suspects, clock: Clock) -> None:
    """Its refusals were somebody else's fault."""
    suspects.refuse("xn-1")
    suspects.refuse("xn-1")
    assert suspects.is_known("xn-1")
    clock.advance(SECOND)
    suspects.serve("xn-1", clock())
    assert not suspects.is_known("xn-1")
    assert not suspects.is_guilty("xn-1")


def test_a_notification_is_known_from_its_second_refusal_on(suspects: Suspects) -> None:
    """The first may be an accident."""
    suspects.refuse("xn-1")
    assert not suspects.is_known("xn-1")
    suspects.refuse("xn-1")
    assert suspects.is_known("xn-1")


def test_a_failure_without_a_refusal_begins_the_search(suspects: Suspects, clock: Clock) -> None:
    """A bug is met by a notification that Novu never refused."""
    assert not suspects.blame("xn-1")
    serve_another(suspects, clock)
    assert suspects.blame("xn-1")


def test_its_memory_is_bounded(suspects: Suspects) -> None:
    """A notification that was refused longest ago is forgotten first."""
    for number in range(SUSPECTS_KEPT + 1):
        suspects.refuse(f"xn-{number}")
        suspects.refuse(f"xn-{number}")
    assert not suspects.is_known("xn-0")
    assert suspects.is_known("xn-1")
