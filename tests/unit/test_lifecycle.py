"""The states of a notification and the moves between them."""

from inspect import getdoc

import pytest

from xnovu_poller.errors import NovuRejected
from xnovu_poller.lifecycle import LAWFUL_MOVES, ErrorDetails, Status


def sources(status: Status) -> set[Status]:
    """Return the states from which a state can be reached."""
    return {start for start, end in LAWFUL_MOVES if end is status}


def targets(status: Status) -> set[Status]:
    """Return the states that can follow a state."""
    return {end for start, end in LAWFUL_MOVES if start is status}


def test_only_a_claimed_notification_can_be_sent() -> None:
    """Every outcome of a send is reached from PROCESSING."""
    assert sources(Status.SENT) == sources(Status.DEAD) == sources(Status.FAILED) == {Status.PROCESSING}


def test_sent_is_final() -> None:
    """Nothing that Novu accepted is sent again."""
    assert targets(Status.SENT) == set()


def test_dead_and_retracted_can_only_be_revived() -> None:
    """They lead back to PENDING and nowhere else."""
    assert targets(Status.DEAD) == targets(Status.RETRACTED) == {Status.PENDING}


def test_every_state_can_be_reached() -> None:
    """A state that no notification can reach would be a mistake."""
    assert {end for _, end in LAWFUL_MOVES} == set(Status)


@pytest.mark.parametrize("status", list(Status))
def test_every_state_is_documented(status: Status) -> None:
    """The class's docstring has a line for each state."""
    assert f"\n{status}: " in (getdoc(Status) or "")


def test_error_details_hold_the_code_and_the_sentence() -> None:
    """They are what an operator reads in the row's `error_details`."""
    fault = ErrorDetails.of(NovuRejected(422, "workflow_not_found"))

    assert fault.to_json() == {
        "code": "novu_rejected",
        "message": "Novu: rejects it with 422 (workflow_not_found)",
    }
