"""A refusal closes the gate only if it is everybody's."""

from datetime import timedelta

import pytest

from tests.support.clock import Clock
from xnovu_poller.backpressure.gate import JUST_NOW, OUTAGE_WITNESSES, REFUSAL_WITNESSES, Gate
from xnovu_poller.errors import (
    NovuBlocked,
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import Accepted, Origin, Refused, Unknown

ACCEPTED = Accepted()
UNAVAILABLE = Refused(NovuUnavailable("503"))
UNAUTHORIZED = Refused(NovuUnauthorized(401))
BLOCKED = Refused(NovuBlocked(403))
UNREACHABLE = Refused(NovuUnavailable("the connection was refused", answered=False))
DISPUTED = [UNAVAILABLE, UNAUTHORIZED, BLOCKED]


@pytest.fixture
def gate(clock: Clock) -> Gate:
    """Return a new gate whose pauses are exact."""
    return Gate(clock, lambda: 0.0)


def xn(transaction_id: str, workflow_key: str = "order-shipped") -> Origin:
    """Return a notification of a workflow."""
    return Origin("acme", workflow_key, transaction_id)


def of(enterprise: str, number: int) -> Origin:
    """Return a notification of an enterprise."""
    return Origin(enterprise, "order-shipped", f"xn-{enterprise}-{number}")


def closed_for(gate: Gate) -> float:
    """Return the seconds until the gate opens."""
    return gate.pause.total_seconds()


def test_one_enterprise_pauses_the_others_for_no_more_than_two_seconds(gate: Gate, clock: Clock) -> None:
    """While nobody else is served, its own faults look like an outage."""
    spans = []
    for number in range(6):
        gate.observe(of("acme", number), UNAVAILABLE)
        spans.append(closed_for(gate))
        clock.advance(gate.pause)
    assert spans == [1, 2, 2, 2, 2, 2]


def test_an_unreachable_novu_closes_the_gate_each_time(gate: Gate, clock: Clock) -> None:
    """Nothing of the notification was sent, so it may be the same notification again and again."""
    spans = []
    for _ in range(4):
        gate.observe(xn("xn-1"), UNREACHABLE)
        spans.append(closed_for(gate))
        clock.advance(gate.pause)
    assert spans == [1, 2, 4, 8]
    assert gate.reason == "Novu: cannot serve now (the connection was refused)"


@pytest.mark.parametrize("outcome", DISPUTED)
def test_a_refused_notification_closes_the_gate_for_nobody_who_is_served(
    gate: Gate, clock: Clock, outcome: Refused
) -> None:
    """However often it is refused, and however many notifications of its enterprise are."""
    for number in range(50):
        gate.observe(of("globex", number), ACCEPTED, began_at=clock())
        clock.advance(timedelta(seconds=1))
        for bad in range(10):
            gate.observe(of("acme", bad), outcome)
    assert (gate.closed, gate.stopped, gate.outage, gate.allowance(1000)) == (False, False, False, 1000)


def test_two_bad_enterprises_do_not_keep_the_gate_closed(gate: Gate, clock: Clock) -> None:
    """Each of their notifications is a witness until somebody else is served, and then it is known to be bad."""
    gate.observe(of("globex", 0), ACCEPTED)
    for number in range(REFUSAL_WITNESSES):
        gate.observe(of(f"bad-{number % 2}", number), BLOCKED)
    assert (closed_for(gate), gate.stopped) == (1, False)
    clock.advance(timedelta(seconds=1))
    gate.observe(of("globex", 1), ACCEPTED, began_at=clock())
    for number in range(REFUSAL_WITNESSES):
        gate.observe(of(f"bad-{number % 2}", number), BLOCKED)
    assert not gate.closed


@pytest.mark.parametrize("outcome", DISPUTED)
def test_no_notification_closes_the_gate_twice_in_a_row(gate: Gate, clock: Clock, outcome: Refused) -> None:
    """Those behind it may be served; so it gives its place in the window back."""
    gate.observe(xn("xn-1"), outcome)
    clock.advance(gate.pause)
    gate.spend(gate.allowance(1))
    gate.observe(xn("xn-1"), outcome)
    assert (gate.closed, gate.allowance(1)) == (False, 1)


def test_the_word_of_a_stranger_counts_only_before_anybody_was_served(gate: Gate) -> None:
    """The address may be wrong from the start; later it takes several notifications to show that."""
    gate.observe(xn("xn-1"), ACCEPTED)
    for number in range(REFUSAL_WITNESSES):
        assert not gate.closed
        gate.observe(xn(f"xn-bad-{number}"), BLOCKED)
    assert (gate.closed, gate.stopped) == (True, True)
    assert gate.reason == (
        "Novu: something in front of it answers 403; does a firewall forbid what the notification contains?"
    )


def test_the_only_enterprise_learns_of_a_wrong_key_at_once(gate: Gate) -> None:
    """Novu's own word is enough where it has served no other enterprise."""
    gate.observe(xn("xn-1"), ACCEPTED)
    gate.observe(xn("xn-2"), UNAUTHORIZED)
    assert (gate.closed, gate.stopped) == (True, True)


def test_a_bug_that_every_notification_meets_is_ours(gate: Gate) -> None:
    """The gate closes as in an outage, and names the bug."""
    for number in range(OUTAGE_WITNESSES):
        assert not gate.closed
        gate.miss(of(f"e{number}", number), bug="a bug: ValueError")
    assert (gate.closed, gate.outage) == (True, True)
    assert gate.reason == "Novu: 5 notifications in a row met a bug (a bug: ValueError)"


def test_a_bad_enterprise_closes_nothing_for_the_others_after_a_pause(gate: Gate, clock: Clock) -> None:
    """Also while the window is so small that a single refusal fills it."""
    gate.observe(of("globex", 0), ACCEPTED)
    gate.throttle(NovuThrottled(timedelta(seconds=1)))
    clock.advance(timedelta(seconds=1))
    gate.spend(1)
    gate.observe(of("acme", 1), BLOCKED)
    assert (gate.closed, gate.allowance(1)) == (False, 1)


def test_the_only_enterprise_searches_for_a_notification_that_is_served(gate: Gate, clock: Clock) -> None:
    """Its bad notifications may be first in the queue: twice as many are looked at each time, up to a bound."""
    windows = []
    number = 0
    for _ in range(8):
        windows.append(gate.allowance(1000))
        while not gate.closed:
            gate.observe(of("acme", number), BLOCKED)
            number += 1
        clock.advance(gate.pause)
    assert windows == [1000, 2, 4, 8, 16, 16, 16, 16]


@pytest.mark.parametrize("outcome", DISPUTED)
def test_two_enterprises_with_ever_new_bad_rows_hold_nobody_beyond_two_seconds(
    gate: Gate, clock: Clock, outcome: Refused
) -> None:
    """Novu serves a third now and then, so the fault is theirs: no outage, no stop, and more and more places for others."""
    number = 0
    for served in range(20):
        gate.observe(of("globex", served), ACCEPTED, began_at=clock())
        for _ in range(5):
            while not gate.closed:
                number += 1
                gate.observe(of(f"bad-{number % 2}", number), outcome)
            assert closed_for(gate) <= 2
            assert (gate.stopped, gate.outage) == (False, False)
            clock.advance(gate.pause)
        assert gate.allowance(1000) == 16


@pytest.mark.parametrize("outcome", DISPUTED)
def test_an_outage_after_good_times_is_recognised_soon(gate: Gate, clock: Clock, outcome: Refused) -> None:
    """Once nobody was served for a while, the pauses grow on from two seconds."""
    gate.observe(of("globex", 0), ACCEPTED, began_at=clock())
    began, number = clock(), 0
    spans: list[float] = []
    while len(spans) < 12:
        while not gate.closed:
            number += 1
            gate.observe(of(f"e{number % 3}", number), outcome)
        spans.append(closed_for(gate))
        assert (gate.stopped or gate.outage) is (clock() - began >= JUST_NOW.total_seconds())
        clock.advance(gate.pause)
    assert spans == [1, 2, 2, 2, 2, 2, 4, 8, 16, 32, 60, 60]


def test_the_refusals_of_one_enterprise_do_not_hide_an_outage(gate: Gate) -> None:
    """The newest witnesses count, so those of others are heard, however many it had before."""
    gate.observe(of("globex", 0), ACCEPTED)
    for number in range(3 * OUTAGE_WITNESSES):
        gate.observe(of("acme", number), BLOCKED)
    assert not gate.closed
    gate.observe(of("initech", 0), Unknown(NovuUnanswered("ReadTimeout")))
    assert (gate.closed, gate.outage) == (True, True)
