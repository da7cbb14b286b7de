from collections.abc import Iterator

import pytest

from benchmarks.chaos.recovery import Recoveries, Throughput, recoveries
from benchmarks.chaos.schedule import Fault, Kind

FAULT_AT = 10.0
REPAIRED_AT = 12.0
ENDED_AT = 30.0


def paced(start: float, end: float, per_second: float = 10) -> Iterator[float]:
    """Return acceptances at an even pace."""
    return (start + number / per_second for number in range(round((end - start) * per_second)))


def recovery(*parts: Iterator[float]) -> float | None:
    """Return the recovery after the only fault of a run."""
    throughput = Throughput([*paced(0, FAULT_AT), *(at for part in parts for at in part)])
    return throughput.recovery(FAULT_AT, REPAIRED_AT, ENDED_AT)


def test_throughput_is_counted_per_second() -> None:
    """Acceptances may be reported in any order."""
    assert Throughput(reversed([*paced(0, 30)])).between(10, 20) == pytest.approx(10)


def test_a_pace_that_never_fell_recovered_at_once() -> None:
    """A fault without an effect costs nothing."""
    assert recovery(paced(10, 30)) == 0


def test_a_recovery_lasts_from_the_fault_until_the_pace_is_back() -> None:
    """This case has five seconds of silence, and a window of two seconds that has to fill to nine tenths."""
    assert recovery(paced(15, 30)) == pytest.approx(5 + 0.9 * 2, abs=0.21)


def test_a_burst_fills_the_window_sooner() -> None:
    """The waiting notifications go out at once."""
    assert recovery(paced(15, 17, per_second=40), paced(17, 30)) == pytest.approx(5.5, abs=0.21)


def test_a_burst_that_fades_is_no_recovery() -> None:
    """A good moment is not enough, because the pace must last."""
    fading = [*paced(15, 16, per_second=20), *paced(16, 20, per_second=2)]

    assert recovery(iter(fading), paced(20, 30, per_second=5)) is None
    assert recovery(iter(fading), paced(20, 30)) == pytest.approx(10 + 0.9 * 2, abs=0.21)


def test_nine_tenths_are_enough_and_eight_are_not() -> None:
    """The measure is the undisturbed pace."""
    assert recovery(paced(15, 30, per_second=9.5)) is not None
    assert recovery(paced(15, 30, per_second=8)) is None


def test_a_recovery_that_the_next_fault_interrupts_is_not_measured() -> None:
    """A guess would be no measurement."""
    assert recovery() is None


def test_there_is_no_recovery_without_a_pace_before_the_fault() -> None:
    """Without acceptances before the fault there is no measure."""
    assert Throughput(paced(15, 30)).recovery(FAULT_AT, REPAIRED_AT, ENDED_AT) is None


def test_a_late_effect_counts_from_the_fault() -> None:
    """A stalled worker has an effect only when its share is missing."""
    assert recovery(paced(10, 13), paced(16, 30)) == pytest.approx(6 + 0.9 * 2, abs=0.21)


def test_an_effect_long_after_the_repair_does_not_count() -> None:
    """It has another reason."""
    assert recovery(paced(10, 20), paced(22, 30)) == 0


def test_recoveries_are_listed_by_kind_up_to_the_next_fault() -> None:
    """Of three faults here, the second had not recovered when the third came."""
    faults = [Fault(10, Kind.SLOW, 0), Fault(20, Kind.WRONG_KEY, 0), Fault(30, Kind.SLOW, 0)]
    throughput = Throughput([*paced(0, 10), *paced(13, 20), *paced(31, 40)])

    found = recoveries(faults, throughput, 40)

    assert list(found) == [Kind.SLOW, Kind.WRONG_KEY]
    assert found[Kind.SLOW].seconds == pytest.approx((4.8, 2.8), abs=0.21)
    assert found[Kind.SLOW].unseen == 0
    assert found[Kind.WRONG_KEY] == Recoveries((), unseen=1)


def test_median_and_longest_are_of_measured_recoveries() -> None:
    """The others are counted separately."""
    found = Recoveries((1.0, 2.0, 9.0), unseen=2)

    assert (found.injected, found.median, found.longest) == (5, 2.0, 9.0)
    assert (Recoveries((), 1).median, Recoveries((), 1).longest) == (None, None)
