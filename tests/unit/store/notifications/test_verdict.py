"""What an executor has to write about one notification."""

import pytest

from tests.support.held import HELD, held
from xnovu_poller.lifecycle import ErrorDetails
from xnovu_poller.store.notifications.verdict import Ending, Verdict


def test_a_verdict_writes_by_the_newest_hold() -> None:
    """The hold of a chunk's answer takes the place of the one before."""
    assert Verdict(Ending.SENT, HELD).hold is HELD.hold


def test_a_verdict_names_its_error() -> None:
    """In logs and metrics; a verdict without an error has a name too."""
    assert Verdict(Ending.DEAD, HELD, ErrorDetails("poison", "it kills its senders")).code == "poison"
    assert Verdict(Ending.SENT, HELD).code == "none"


@pytest.mark.parametrize(
    ("withdrawn", "expired", "reason"),
    [(True, False, "retracted"), (False, True, "expired"), (True, True, "retracted")],
)
def test_a_producers_retraction_comes_before_the_time(*, withdrawn: bool, expired: bool, reason: str) -> None:
    """What is withdrawn and expired was withdrawn."""
    assert Verdict(Ending.RETRACTED, held(withdrawn=withdrawn, expired=expired)).reason == reason
