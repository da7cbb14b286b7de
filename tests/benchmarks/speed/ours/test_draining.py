import pytest

from benchmarks.speed.exact import Inexact
from benchmarks.speed.ours.draining import sent


def test_a_backlog_counts_when_all_of_it_is_sent() -> None:
    """Each by its transaction id."""
    assert sent({"xn-1": "SENT", "xn-2": "SENT"}) == {"xn-1", "xn-2"}


def test_a_row_in_any_other_state_spoils_it() -> None:
    """It came to the sink, perhaps, but nobody recorded it."""
    with pytest.raises(Inexact):
        sent({"xn-1": "SENT", "xn-2": "FAILED"})
