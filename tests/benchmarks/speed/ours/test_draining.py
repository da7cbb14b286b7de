import pytest

from benchmarks.speed.exact import Inexact
from benchmarks.speed.ours.draining import sent


def test_a_backlog_counts_when_all_of_it_is_sent() -> None:
    """Each row is identified by its transaction id."""
    assert sent({"xn-1": "SENT", "xn-2": "SENT"}) == {"xn-1", "xn-2"}


def test_a_row_in_another_state_makes_a_measure_inexact() -> None:
    """It may have reached the sink, but nobody recorded it."""
    with pytest.raises(Inexact):
        sent({"xn-1": "SENT", "xn-2": "FAILED"})
