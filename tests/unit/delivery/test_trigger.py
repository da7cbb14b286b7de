"""The verdict that follows from Novu's outcome."""

import time
from datetime import timedelta
from typing import cast

import pytest

from tests.support.clock import Clock
from tests.support.held import held
from xnovu_poller import metrics
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.delivery import trigger
from xnovu_poller.delivery.trigger import Trigger
from xnovu_poller.errors import (
    NovuBlocked,
    NovuError,
    NovuRejected,
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import Accepted, Origin, Outcome, Refused, Unknown
from xnovu_poller.novu import Event, Novu
from xnovu_poller.store.engine import Engine
from xnovu_poller.store.notifications.verdict import Ending, Verdict

SECOND = timedelta(seconds=1)
ORIGIN = Origin("acme", "order-shipped", "xn-1")
OTHER = Origin("globex", "order-shipped", "xn-2")


@pytest.fixture
def gate(clock: Clock) -> Gate:
    """A gate whose pauses are exact."""
    return Gate(clock, lambda: 0.0)


def judge(gate: Gate, outcome: Outcome) -> Verdict:
    """Judge an outcome that the gate has observed."""
    judging = Trigger(cast(Engine, None), cast(Novu, None), gate, SECOND)
    gate.observe(ORIGIN, outcome, began_at=gate.now())
    return judging._judge(held(), outcome)


@pytest.mark.parametrize(
    ("outcome", "ending", "refused", "unknown", "word", "label"),
    [
        (Accepted(), "SENT", False, False, "accepted", "accepted"),
        (Refused(NovuRejected(422, "x")), "DEAD", True, False, "refused", "rejected"),
        (Refused(NovuThrottled(SECOND)), "RELEASED", True, False, None, "unavailable"),
        (Refused(NovuUnavailable("503")), "RELEASED", True, False, None, "unavailable"),
        (
            Refused(NovuUnavailable("ConnectError", answered=False)),
            "RELEASED",
            False,
            False,
            None,
            "unavailable",
        ),
        (Refused(NovuUnauthorized(401)), "RELEASED", True, False, None, "stop"),
        (Refused(NovuBlocked(403)), "RELEASED", True, False, None, "blocked"),
        (Unknown(NovuUnanswered("ReadTimeout")), "UNKNOWN", False, True, "unknown", "unknown"),
        (Unknown(NovuUnanswered("500", answered=True)), "UNKNOWN", True, True, "unknown", "unknown"),
    ],
    ids=str,
)
def test_each_outcome_has_its_verdict(  # noqa: PLR0913 - the columns of the table
    gate: Gate, outcome: Outcome, ending: str, word: str | None, label: str, *, refused: bool, unknown: bool
) -> None:
    """The ending, whether the idempotency key changes, whether Novu may have accepted it, and both labels."""
    verdict = judge(gate, outcome)

    assert verdict.ending is Ending[ending]
    assert (verdict.refused, verdict.unknown) == (refused, unknown)
    assert (verdict.error is None) == (ending == "SENT")
    assert trigger._chunk_outcome(verdict) == word
    assert trigger._classify(outcome) == label
    assert label in metrics.CALL_OUTCOMES


@pytest.mark.parametrize(
    ("error", "first"),
    [
        (NovuBlocked(413), "UNFINISHED"),
        (NovuUnauthorized(403), "UNFINISHED"),
        (NovuUnavailable("503"), "UNFINISHED"),
        (NovuUnavailable("502", unsure=True), "UNKNOWN"),
    ],
    ids=str,
)
def test_a_notification_that_is_refused_while_others_are_served_is_tried_again_and_then_put_off(
    gate: Gate, clock: Clock, error: NovuError, first: str
) -> None:
    """It is never released, or it would come back at once; its failure counts, for others were served meanwhile."""
    gate.observe(OTHER, Accepted(), began_at=gate.now())
    again = judge(gate, Refused(error))
    assert (again.ending, again.disputed) == (Ending[first], True)
    clock.advance(SECOND)
    gate.observe(OTHER, Accepted(), began_at=gate.now())
    clock.advance(SECOND)

    verdict = judge(gate, Refused(error))

    assert (verdict.ending, verdict.disputed) == (Ending.FAILED, True)
    assert gate.suspects.blame("xn-1")
    assert not gate.closed


@pytest.mark.parametrize(("size", "counted"), [(1, True), (2, False)])
async def test_a_group_that_was_prepared_too_long_is_put_off(gate: Gate, size: int, *, counted: bool) -> None:
    """In a group the heavy work may have been that of another row, so it brings none nearer to DEAD."""
    sending = Trigger(cast(Engine, None), cast(Novu, None), gate, SECOND)
    event = Event("order-shipped", ("subscriber-1",), b"{}", None, "xn-1", 0, ORIGIN)
    now = time.monotonic()
    verdicts = await sending._send_call([(held(), event)] * size, now, now)
    assert [(each.ending, each.counted, each.code) for each in verdicts] == [
        (Ending.FAILED, counted, "unfinished")
    ] * size
