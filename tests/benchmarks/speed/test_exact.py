import pytest

from benchmarks.speed.exact import Inexact, compare


def test_every_job_once_is_exact() -> None:
    """The order does not matter."""
    compare({"a", "b"}, {"b": 1, "a": 1})


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"a": 1}, "1 jobs did not arrive, 0 arrived more than once, 0 were"),
        ({"a": 2, "b": 1}, "0 jobs did not arrive, 1 arrived more than once, 0 were"),
        ({"a": 1, "b": 1, "c": 1}, "0 jobs did not arrive, 0 arrived more than once, 1 were"),
    ],
)
def test_anything_else_is_inexact(counts: dict[str, int], message: str) -> None:
    """A job is lost, came twice, or was never sent."""
    with pytest.raises(Inexact, match=message):
        compare({"a", "b"}, counts)
