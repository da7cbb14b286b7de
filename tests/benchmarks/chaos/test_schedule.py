from itertools import pairwise

import pytest

from benchmarks.chaos.schedule import CALM_SECONDS, WARM_UP_SECONDS, Kind, schedule

REPLICAS = 3


def test_the_same_seed_gives_the_same_faults() -> None:
    """You can repeat a run that found a fault; another seed is another run."""
    assert schedule(1, 180, REPLICAS) == schedule(1, 180, REPLICAS)
    assert schedule(1, 180, REPLICAS) != schedule(2, 180, REPLICAS)


@pytest.mark.parametrize("seed", range(50))
def test_a_minute_has_six_kinds_of_faults(seed: int) -> None:
    """With any seed, no kind repeats before all kinds have occurred."""
    assert len({fault.kind for fault in schedule(seed, 60, REPLICAS)}) >= 6


def test_an_hour_has_every_kind_of_fault_at_every_replica() -> None:
    """The list of kinds is shuffled again and again."""
    faults = schedule(1, 3600, REPLICAS)

    assert {fault.kind for fault in faults} == set(Kind)
    assert {fault.replica for fault in faults} == set(range(REPLICAS))


@pytest.mark.parametrize("seconds", [60, 180, 600])
def test_faults_have_a_distance_from_each_other_and_from_both_ends(seconds: float) -> None:
    """The undisturbed system is measured first, and the last recovery must be visible."""
    at = [fault.at for fault in schedule(7, seconds, REPLICAS)]

    assert at[0] == WARM_UP_SECONDS
    assert at[-1] <= seconds - CALM_SECONDS
    assert all(later - earlier >= 6 for earlier, later in pairwise(at))


@pytest.mark.parametrize("seed", range(50))
def test_every_fault_is_repaired_before_the_notifications_end(seed: int) -> None:
    """Two faults of the stand-in never overlap, because a repair ends all of them."""
    faults = schedule(seed, 60, REPLICAS)
    played = [fault for fault in faults if fault.kind.startswith("Novu")]

    assert all(fault.mended_at <= 60 for fault in faults)
    assert all(earlier.mended_at < later.at for earlier, later in pairwise(played))


def test_a_run_that_is_too_short_has_no_fault() -> None:
    """Nothing happens in the warm-up."""
    assert schedule(1, WARM_UP_SECONDS, REPLICAS) == ()
