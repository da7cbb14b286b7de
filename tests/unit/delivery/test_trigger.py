"""The verdict that follows from Novu's outcome."""

from datetime import timedelta

import pytest

from tests.support.held import held
from xnovu_poller import metrics
from xnovu_poller.delivery import trigger
from xnovu_poller.errors import (
    NovuRejected,
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import Accepted, Outcome, Refused, Unknown
from xnovu_poller.store.notifications.verdict import Ending

SECOND = timedelta(seconds=1)


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
        (Unknown(NovuUnanswered("ReadTimeout")), "UNKNOWN", False, True, "unknown", "unknown"),
        (Unknown(NovuUnanswered("500", answered=True)), "UNKNOWN", True, True, "unknown", "unknown"),
    ],
    ids=str,
)
def test_each_outcome_has_its_verdict(
    outcome: Outcome, ending: str, word: str | None, label: str, *, refused: bool, unknown: bool
) -> None:
    """The ending, whether the idempotency key changes, whether Novu may have accepted it, and both labels."""
    verdict = trigger._judge(held(), outcome)

    assert verdict.ending is Ending[ending]
    assert (verdict.refused, verdict.unknown) == (refused, unknown)
    assert (verdict.error is None) == (ending == "SENT")
    assert trigger._chunk_outcome(verdict) == word
    assert trigger._classify(outcome) == label
    assert label in metrics.CALL_OUTCOMES
