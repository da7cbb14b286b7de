from importlib import import_module

import pytest

from benchmarks.speed.suite import ENTRIES, Entry, entries


def test_every_measure_has_its_own_name() -> None:
    """You can run a single measure by its name."""
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)


def test_every_second_round_is_in_reverse_order() -> None:
    """Otherwise a measure would always run on a machine that the same other measure has warmed up."""
    steady = [entry for entry in ENTRIES if entry.rounds > 2]

    assert [*entries((), 3)] == steady
    assert [*entries((), 2)] == steady[::-1]


def test_a_steady_measure_takes_part_in_the_first_round_only() -> None:
    """Further rounds would take long and have the same result."""
    assert "memory" in {entry.name for entry in entries((), 1)}
    assert "memory" not in {entry.name for entry in entries((), 2)}


def test_only_the_named_measures_are_run() -> None:
    """They run in the usual order."""
    assert [entry.name for entry in entries(("single", "local_activity"), 1)] == ["local_activity", "single"]


def test_our_own_measures_can_be_found() -> None:
    """Measures are referred to by name, so that a missing package fails only one of them."""
    draining = import_module("benchmarks.speed.ours.draining")

    assert Entry("single", "ours.draining:single").measure() is draining.single
    with pytest.raises(ModuleNotFoundError):
        Entry("none", "ours.nowhere:measure").measure()
