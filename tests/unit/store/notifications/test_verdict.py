"""The result that an executor has to write for a notification."""

import pytest

from tests.support.held import HELD, held
from xnovu_poller.lifecycle import ErrorDetails
from xnovu_poller.store.notifications.verdict import Ending, Verdict


def test_a_verdict_writes_by_the_newest_hold() -> None:
    """The hold of a chunk's answer replaces the hold before it."""
    assert Verdict(Ending.SENT, HELD).hold is HELD.hold


def test_a_verdict_names_its_error() -> None:
    """Logs and metrics show the code, and a verdict without an error has a code too."""
    assert Verdict(Ending.DEAD, HELD, ErrorDetails("poison", "it kills its senders")).code == "poison"
    assert Verdict(Ending.SENT, HELD).code == "none"


@pytest.mark.parametrize(
    ("withdrawn", "expired", "reason"),
    [(True, False, "retracted"), (False, True, "expired"), (True, True, "retracted")],
)
def test_a_retraction_takes_precedence_over_expiry(*, withdrawn: bool, expired: bool, reason: str) -> None:
    """If both apply, the reason is the producer's retraction."""
    assert Verdict(Ending.RETRACTED, held(withdrawn=withdrawn, expired=expired)).reason == reason
