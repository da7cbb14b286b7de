import pytest

from benchmarks.speed.ours.idle import percentiles


def test_percentiles_are_in_milliseconds() -> None:
    """The example has waits of 1 to 101 ms."""
    waits = [(1 + number) / 1000 for number in range(101)]

    assert percentiles("idle", waits) == pytest.approx({"idle_p50_ms": 51, "idle_p99_ms": 100})
