import pytest

from benchmarks.speed.exact import Inexact, compare


def test_every_job_once_is_exact() -> None:
    """In any order."""
    compare({"a", "b"}, {"b": 1, "a": 1})


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"a": 1}, "1 jobs did not come, 0 came more than once, 0 were"),
        ({"a": 2, "b": 1}, "0 jobs did not come, 1 came more than once, 0 were"),
        ({"a": 1, "b": 1, "c": 1}, "0 jobs did not come, 0 came more than once, 1 were"),
    ],
)
def test_anything_else_is_not(counts: dict[str, int], said: str) -> None:
    """Lost, twice, or never asked for."""
    with pytest.raises(Inexact, match=said):
        compare({"a", "b"}, counts)
