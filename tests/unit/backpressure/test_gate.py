"""The gate closes while Novu cannot serve, and opens gradually."""

from datetime import timedelta

import pytest

from tests.support.clock import Clock
from xnovu_poller.backpressure.gate import OUTAGE_WITNESSES, Gate
from xnovu_poller.backpressure.window import NO_LIMIT, SILENCE, SILENCE_ONCE_SERVED
from xnovu_poller.errors import (
    NovuRejected,
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import Accepted, Origin, Refused, Unknown

ACCEPTED = Accepted()
REJECTED = Refused(NovuRejected(422, "workflow_not_found"))
UNAVAILABLE = Refused(NovuUnavailable("503"))
UNAUTHORIZED = Refused(NovuUnauthorized(401))
UNREACHABLE = Refused(NovuUnavailable("the connection was refused", answered=False))
UNKNOWN = Unknown(NovuUnanswered("ReadTimeout"))


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


def throttled(pause_seconds: float) -> Refused:
    """Return the outcome in which Novu asks for a pause."""
    return Refused(NovuThrottled(timedelta(seconds=pause_seconds)))


def closed_for(gate: Gate) -> float:
    """Return the seconds until the gate opens."""
    return gate.pause.total_seconds()


def pauses(gate: Gate, clock: Clock, outcome: Refused, count: int) -> list[float]:
    """Return the pauses of this many closures in a row, each caused by the first probe after the pause before."""
    spans = []
    for number in range(count):
        gate.observe(of(f"e{number % 2}", number), outcome)
        spans.append(closed_for(gate))
        clock.advance(gate.pause)
    return spans


def test_a_new_gate_is_wide_open(gate: Gate) -> None:
    """Nothing limits the first claims, and there is no reason to show."""
    assert not gate.closed
    assert gate.reason is None
    assert gate.allowance(500) == 500


def test_a_closed_gate_lets_nothing_out_until_its_pause_is_over(gate: Gate, clock: Clock) -> None:
    """It does not open before the pause that Novu asked for."""
    gate.observe(xn("xn-1"), throttled(7))
    assert (gate.closed, gate.allowance(100), closed_for(gate)) == (True, 0, 7)
    clock.advance(timedelta(seconds=6.9))
    assert gate.closed
    clock.advance(timedelta(seconds=0.2))
    assert (gate.closed, closed_for(gate)) == (False, 0)


def test_jitter_only_lengthens_a_pause(clock: Clock) -> None:
    """Replicas return at different moments, and none before the time that Novu asked for."""
    gate = Gate(clock, lambda: 1.0)
    gate.observe(xn("xn-1"), throttled(8))
    assert closed_for(gate) == 10


def test_pauses_double_during_an_outage_up_to_a_minute(gate: Gate, clock: Clock) -> None:
    """A Novu that stays down is called less and less often."""
    assert pauses(gate, clock, UNAVAILABLE, 8) == [1, 2, 4, 8, 16, 32, 60, 60]


def test_an_outage_of_days_keeps_the_longest_pause(gate: Gate, clock: Clock) -> None:
    """Doubling stops before the number gets too large."""
    assert pauses(gate, clock, UNAVAILABLE, 2000)[-1] == 60


def test_calls_under_way_when_the_gate_closes_count_as_one_closure(gate: Gate) -> None:
    """Ten calls that meet the same outage do not make ten closures."""
    for number in range(10):
        gate.observe(xn(f"xn-{number}"), UNAVAILABLE)
    assert closed_for(gate) == 1


def test_a_pause_named_by_an_unavailable_novu_is_kept(gate: Gate) -> None:
    """The Retry-After of a 503 counts if it is longer than our own pause."""
    gate.observe(xn("xn-1"), Refused(NovuUnavailable("503", timedelta(seconds=20))))
    assert closed_for(gate) == 20


def test_a_shorter_pause_does_not_cut_a_longer_one(gate: Gate) -> None:
    """A later answer does not open the gate before the time of an earlier answer."""
    gate.observe(xn("xn-1"), throttled(30))
    gate.observe(xn("xn-2"), throttled(2))
    assert closed_for(gate) == 30


def test_a_late_acceptance_does_not_end_a_pause(gate: Gate) -> None:
    """It may be older than the answer that closed the gate."""
    gate.observe(xn("xn-1"), throttled(30))
    gate.observe(xn("xn-2"), ACCEPTED)
    assert closed_for(gate) == 30


def test_an_acceptance_resets_the_pauses(gate: Gate, clock: Clock) -> None:
    """Only closures in a row lengthen the pause."""
    pauses(gate, clock, UNREACHABLE, 5)
    gate.observe(xn("xn-1"), ACCEPTED)
    assert pauses(gate, clock, UNREACHABLE, 1) == [1]


@pytest.mark.parametrize("served", [ACCEPTED, REJECTED])
def test_the_window_doubles_once_all_let_out_are_served(
    gate: Gate, clock: Clock, served: Accepted | Refused
) -> None:
    """Traffic comes back as 1, 2, 4, … until there is no limit. A rejection counts as served too."""
    pauses(gate, clock, UNAVAILABLE, 1)
    windows = []
    while (window := gate.allowance(10_000)) < 10_000:
        windows.append(window)
        gate.spend(window)
        assert gate.allowance(10_000) == 0
        for number in range(window):
            gate.observe(xn(f"xn-{number}"), served)
    assert windows == [1, 2, 4, 8, 16, 32, 64, 128, 256, NO_LIMIT // 2]


def test_an_allowance_that_is_not_claimed_is_not_spent(gate: Gate, clock: Clock) -> None:
    """A claim that finds nothing uses up no probe."""
    pauses(gate, clock, UNAVAILABLE, 1)
    assert [gate.allowance(100), gate.allowance(100)] == [1, 1]


def test_a_silent_probe_is_replaced(gate: Gate, clock: Clock) -> None:
    """A probe whose template fails does not leave the gate half open for ever."""
    pauses(gate, clock, UNAVAILABLE, 1)
    gate.spend(1)
    assert gate.allowance(100) == 0
    clock.advance(SILENCE)
    assert gate.allowance(100) == 1


def test_a_failed_probe_closes_the_gate_for_longer(gate: Gate, clock: Clock) -> None:
    """The gate is only half open until a probe is served."""
    pauses(gate, clock, UNAVAILABLE, 1)
    gate.spend(1)
    gate.observe(xn("xn-1"), UNAVAILABLE)
    assert (gate.allowance(100), closed_for(gate)) == (0, 2)


def test_closing_and_opening_are_logged(
    gate: Gate, clock: Clock, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator reads when nothing was sent, and why."""
    gate.observe(xn("xn-1"), throttled(7))
    gate.observe(xn("xn-2"), throttled(3))
    clock.advance(gate.pause)
    gate.allowance(1)
    gate.allowance(1)
    logged = capsys.readouterr()
    text = logged.out + logged.err + caplog.text
    assert text.count("gate closed") == text.count("gate opened") == 1
    assert "asks for a pause of 7 s" in text


def test_five_different_unknown_outcomes_are_an_outage(gate: Gate) -> None:
    """No single notification is at fault, so the gate closes and shows the reason."""
    for number in range(OUTAGE_WITNESSES - 1):
        gate.observe(xn(f"xn-{number}"), UNKNOWN)
    assert (gate.outage, gate.closed) == (False, False)
    gate.observe(xn("xn-last"), UNKNOWN)
    assert (gate.outage, gate.closed) == (True, True)
    assert gate.reason == "Novu: 5 notifications in a row got no reliable answer"


def test_a_single_notification_is_no_outage(gate: Gate) -> None:
    """The same transaction again is no further witness."""
    for _ in range(50):
        gate.observe(xn("xn-1"), UNKNOWN)
    assert (gate.outage, gate.closed) == (False, False)


@pytest.mark.parametrize("window", [1, 2, 4])
def test_a_narrow_window_without_an_answer_is_an_outage(gate: Gate, clock: Clock, window: int) -> None:
    """It lets out fewer than five, so waiting for five would count the failures against each notification."""
    gate.observe(xn("xn-0"), throttled(1))
    clock.advance(gate.pause)
    while gate.allowance(10) < window:
        gate.spend(1)
        gate.observe(xn("xn-well"), ACCEPTED)
    for number in range(window):
        assert not gate.outage
        gate.observe(xn(f"xn-{number}"), UNKNOWN)
    assert (gate.outage, gate.closed) == (True, True)


def test_an_acceptance_between_unknown_outcomes_disproves_an_outage(gate: Gate) -> None:
    """Only unknown outcomes with nothing served between them count together."""
    for number in range(3 * OUTAGE_WITNESSES):
        gate.observe(xn(f"xn-{number}"), UNKNOWN)
        if number % 4 == 3:
            gate.observe(xn("xn-well"), ACCEPTED)
    assert (gate.outage, gate.closed) == (False, False)


def test_an_outage_lasts_until_something_is_served(gate: Gate, clock: Clock) -> None:
    """Each unknown probe closes the gate again; the first that is served ends the outage."""
    for number in range(OUTAGE_WITNESSES):
        gate.observe(xn(f"xn-{number}"), UNKNOWN)
    clock.advance(gate.pause)
    assert (gate.outage, gate.closed) == (True, False)
    gate.observe(xn("xn-1"), UNKNOWN)
    assert closed_for(gate) == 2
    clock.advance(gate.pause)
    gate.observe(xn("xn-1"), ACCEPTED)
    assert (gate.outage, gate.closed, gate.reason) == (False, False, None)


def test_a_wrong_key_stops_the_gate(gate: Gate, clock: Clock) -> None:
    """It stays stopped between the probes, until a person corrects the key."""
    assert pauses(gate, clock, UNAUTHORIZED, 8) == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (gate.closed, gate.stopped, gate.allowance(100)) == (False, True, 1)
    assert gate.reason == "Novu: answers 401; check NOVU_SECRET_KEY and NOVU_API_URL"
    gate.observe(xn("xn-1"), ACCEPTED)
    status = gate.status()
    assert (status["stopped"], status["reason"]) == (False, None)


def test_a_used_up_rate_limit_closes_until_its_reset(gate: Gate, clock: Clock) -> None:
    """Novu is not called before it will answer."""
    gate.limit_rate(1, timedelta(seconds=4))
    gate.limit_rate(None, None)
    gate.limit_rate(0, None)
    assert not gate.closed
    gate.limit_rate(0, timedelta(seconds=4))
    assert (closed_for(gate), gate.reason) == (4, "Novu: the rate limit is used up")
    clock.advance(gate.pause)
    assert not gate.closed


def test_the_status_answers_an_operators_questions(gate: Gate) -> None:
    """`/status` shows why nothing is claimed, and for how long."""
    gate.observe(xn("xn-1"), throttled(7))
    assert gate.status() == {
        "closed": True,
        "stopped": False,
        "outage": False,
        "reason": "Novu: asks for a pause of 7 s",
        "pause_seconds": 7.0,
        "window": 1,
        "workflows_tripped": 0,
    }


def test_notifications_of_another_replica_do_not_hold_up_the_window(gate: Gate, clock: Clock) -> None:
    """Another replica may have sent the rest, so once a notification is served, a window twice as large follows soon."""
    gate.observe(xn("xn-0"), throttled(1))
    clock.advance(gate.pause)
    gate.spend(1)
    gate.observe(xn("xn-1"), ACCEPTED)
    gate.spend(2)
    gate.observe(xn("xn-2"), ACCEPTED)
    assert gate.allowance(100) == 0
    clock.advance(SILENCE_ONCE_SERVED)
    assert gate.allowance(100) == 4


def test_a_single_failing_workflow_does_not_close_the_gate(gate: Gate) -> None:
    """Novu serves others, so the breaker turns this workflow's notifications away and counts their failures."""
    gate.observe(xn("xn-well", "invoice"), ACCEPTED)
    for number in range(3 * OUTAGE_WITNESSES):
        gate.observe(xn(f"xn-{number}"), UNKNOWN)
    assert not gate.closed
    assert not gate.outage
    assert gate.breaker.is_tripped(xn("xn-0"))
    assert gate.status()["workflows_tripped"] == 1


def test_workflows_that_fail_together_close_the_gate(gate: Gate) -> None:
    """Novu served somebody a moment ago, but two failing workflows at the same time mean an outage."""
    gate.observe(xn("xn-well", "invoice"), ACCEPTED)
    for number in range(OUTAGE_WITNESSES):
        gate.observe(xn(f"xn-{number}", f"key-{number % 2}"), UNKNOWN)
    assert gate.closed
    assert gate.outage


def test_a_single_failing_enterprise_does_not_close_the_gate(gate: Gate) -> None:
    """It may use several workflows, and none of its notifications is a witness against Novu later."""
    gate.observe(Origin("globex", "invoice", "xn-well"), ACCEPTED)
    for number in range(OUTAGE_WITNESSES):
        gate.observe(xn(f"xn-{number}", f"key-{number % 2}"), UNKNOWN)
    for number in range(OUTAGE_WITNESSES):
        gate.observe(xn(f"xn-again-{number}", "key-0"), UNKNOWN)
    assert not gate.closed
    assert not gate.outage


def test_notifications_of_a_tripped_workflow_are_no_witnesses(gate: Gate) -> None:
    """A missing answer of another enterprise then counts as the first, not as the fifth."""
    gate.observe(Origin("globex", "invoice", "xn-well"), ACCEPTED)
    for number in range(OUTAGE_WITNESSES):
        gate.observe(xn(f"xn-{number}"), UNKNOWN)
    gate.observe(Origin("initech", "invoice", "xn-other"), UNKNOWN)
    assert not gate.closed


def test_one_notification_does_not_close_the_gate_twice_in_a_row(gate: Gate, clock: Clock) -> None:
    """Otherwise the first in the queue would always go first, and hold everybody back for its own fault."""
    gate.observe(xn("xn-1"), throttled(1))
    for closed in (True, False, False):
        clock.advance(gate.pause)
        gate.observe(xn("xn-bad"), UNKNOWN)
        assert gate.closed is closed
    gate.observe(xn("xn-other"), UNKNOWN)
    assert gate.closed
