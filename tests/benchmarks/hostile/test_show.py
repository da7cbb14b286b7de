"""The verdict on a siege names each target that was missed."""

import math
from dataclasses import replace

import pytest

from benchmarks.hostile.attacks.attack import Report
from benchmarks.hostile.probe import Look
from benchmarks.hostile.show import failures, percentile, sentence
from benchmarks.hostile.siege import Account, Slot

GOOD = Account(
    slots=[Slot("an attack", 0, 10, Report(), (0.1, 0.2, 0.3), [Look(1, 0.01, 200_000_000)])],
    lost=[],
    duplicates=[],
    refused_inserts=0,
    restarts=0,
    states=[("ent-b", "SENT", "", 3)],
)


SLOT = GOOD.slots[0]


def test_a_siege_that_delayed_nobody_has_no_failure() -> None:
    """The numbers are in the sentence."""
    assert failures(GOOD) == []
    assert "3 notifications of B and C, p50 0.20 s, p99 0.30 s, longest 0.30 s; lost 0" in sentence(GOOD)


@pytest.mark.parametrize(
    ("account", "failure"),
    [
        (
            replace(GOOD, slots=[replace(SLOT, delays=(3.1,))]),
            "the 99th percentile is 3.10 s, the target 3 s",
        ),
        (replace(GOOD, slots=[replace(SLOT, delays=(math.inf,))]), "the 99th percentile is never"),
        (
            replace(GOOD, slots=[replace(SLOT, looks=[Look(1, 1.1, 1)])]),
            "/livez: the slowest answer took 1.10 s, the target 1 s",
        ),
        (
            replace(GOOD, slots=[replace(SLOT, looks=[Look(1, None, 1)])]),
            "/livez: the slowest answer took never",
        ),
        (replace(GOOD, slots=[replace(SLOT, looks=[Look(1, 0.1, 600_000_001)])]), "memory: 600 MB"),
        (
            replace(GOOD, slots=[replace(SLOT, report=Report(ended=False))]),
            "an attack: the attack did not end",
        ),
        (replace(GOOD, lost=("a", "b", "c", "d", "e", "f")), "6 were not reached: a, b, c, d, e, …"),
        (replace(GOOD, duplicates=("a",)), "1 were reached more than once: a"),
        (replace(GOOD, refused_inserts=2), "2 inserts of B and C were refused"),
        (replace(GOOD, restarts=1), "the worker ended 1 times"),
    ],
)
def test_each_missed_target_is_a_failure(account: Account, failure: str) -> None:
    """The exit code depends on it."""
    (found,) = failures(account)

    assert failure in found


@pytest.mark.parametrize(
    ("share", "delay"), [(0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0), (0.001, 1.0)]
)
def test_a_percentile_is_one_of_the_delays(share: float, delay: float) -> None:
    """At least that share does not exceed it."""
    assert percentile([float(number) for number in range(100, 0, -1)], share) == delay
    assert percentile([], share) == 0.0
