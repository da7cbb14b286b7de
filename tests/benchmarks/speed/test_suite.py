from importlib import import_module

import pytest

from benchmarks.speed.suite import ENTRIES, Entry, entries


def test_every_measure_has_a_name_of_its_own() -> None:
    """By which it is run alone."""
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)


def test_every_second_round_goes_backwards() -> None:
    """So that no measure always meets a machine that another one has warmed."""
    steady = [entry for entry in ENTRIES if entry.rounds > 2]

    assert [*entries((), 3)] == steady
    assert [*entries((), 2)] == steady[::-1]


def test_what_varies_little_takes_part_in_the_first_round_alone() -> None:
    """It would take long, and say the same."""
    assert "memory" in {entry.name for entry in entries((), 1)}
    assert "memory" not in {entry.name for entry in entries((), 2)}


def test_what_is_named_is_measured_alone() -> None:
    """In the usual order."""
    assert [entry.name for entry in entries(("single", "local_activity"), 1)] == ["local_activity", "single"]


def test_ours_can_be_found() -> None:
    """The places are names, so that a missing package fails one measure and no other."""
    draining = import_module("benchmarks.speed.ours.draining")

    assert Entry("single", "ours.draining:single").measure() is draining.single
    with pytest.raises(ModuleNotFoundError):
        Entry("none", "ours.nowhere:measure").measure()
