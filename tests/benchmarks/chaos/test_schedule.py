from itertools import pairwise

import pytest

from benchmarks.chaos.schedule import CALM_SECONDS, WARM_UP_SECONDS, Kind, schedule

REPLICAS = 3


def test_the_same_seed_gives_the_same_faults() -> None:
    """A run that found something can be had again; another seed is another run."""
    assert schedule(1, 180, REPLICAS) == schedule(1, 180, REPLICAS)
    assert schedule(1, 180, REPLICAS) != schedule(2, 180, REPLICAS)


@pytest.mark.parametrize("seed", range(50))
def test_a_minute_meets_six_kinds(seed: int) -> None:
    """Whatever the seed: no kind comes again before all have been."""
    assert len({fault.kind for fault in schedule(seed, 60, REPLICAS)}) >= 6


def test_an_hour_meets_every_kind_and_every_replica() -> None:
    """The deck is dealt again and again."""
    faults = schedule(1, 3600, REPLICAS)

    assert {fault.kind for fault in faults} == set(Kind)
    assert {fault.replica for fault in faults} == set(range(REPLICAS))


@pytest.mark.parametrize("seconds", [60, 180, 600])
def test_faults_stand_apart_and_leave_a_beginning_and_an_end(seconds: float) -> None:
    """The undisturbed system is measured first, and the last recovery can be seen."""
    at = [fault.at for fault in schedule(7, seconds, REPLICAS)]

    assert at[0] == WARM_UP_SECONDS
    assert at[-1] <= seconds - CALM_SECONDS
    assert all(later - earlier >= 6 for earlier, later in pairwise(at))


@pytest.mark.parametrize("seed", range(50))
def test_every_fault_is_mended_before_the_notifications_cease(seed: int) -> None:
    """And no two that the stand-in plays are at work at once, for mending ends them all."""
    faults = schedule(seed, 60, REPLICAS)
    played = [fault for fault in faults if fault.kind.startswith("Novu")]

    assert all(fault.mended_at <= 60 for fault in faults)
    assert all(earlier.mended_at < later.at for earlier, later in pairwise(played))


def test_a_run_that_is_too_short_has_no_fault() -> None:
    """Nothing is struck in the warm-up."""
    assert schedule(1, WARM_UP_SECONDS, REPLICAS) == ()
