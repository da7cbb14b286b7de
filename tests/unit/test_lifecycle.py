"""The words of a notification's life."""

import pytest

from xnovu_poller.errors import NovuRejected
from xnovu_poller.lifecycle import LAWFUL_MOVES, ErrorDetails, Status


def to(status: Status) -> set[Status]:
    """Give the states from which a state is reached."""
    return {start for start, end in LAWFUL_MOVES if end is status}


def reached(status: Status) -> set[Status]:
    """Give the states that follow a state."""
    return {end for start, end in LAWFUL_MOVES if start is status}


def test_nothing_is_sent_that_was_not_claimed() -> None:
    """Every end of a send is an end of PROCESSING."""
    assert to(Status.SENT) == to(Status.DEAD) == to(Status.FAILED) == {Status.PROCESSING}


def test_sent_is_final() -> None:
    """What Novu accepted is not taken up again."""
    assert reached(Status.SENT) == set()


def test_a_person_can_revive_what_was_given_up() -> None:
    """DEAD and RETRACTED lead back to PENDING and nowhere else."""
    assert reached(Status.DEAD) == reached(Status.RETRACTED) == {Status.PENDING}


def test_every_state_can_be_reached() -> None:
    """Nothing is declared that no notification can be."""
    assert {end for _, end in LAWFUL_MOVES} == set(Status)


@pytest.mark.parametrize("status", list(Status))
def test_every_state_is_explained(status: Status) -> None:
    """The class's docstring says of each state what it means."""
    assert f"\n    {status}: " in (Status.__doc__ or "")


def test_a_fault_tells_the_error() -> None:
    """A row's `error_details` carries the code and the sentence."""
    fault = ErrorDetails.of(NovuRejected(422, "workflow_not_found"))

    assert fault.to_json() == {
        "code": "novu_rejected",
        "message": "Novu: rejects it with 422 (workflow_not_found)",
    }
