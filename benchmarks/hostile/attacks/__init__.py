"""The attacks, in the order in which a siege runs them."""

from collections.abc import Sequence

from benchmarks.hostile.attacks import load, locks, port, refusals, wakeups, writes
from benchmarks.hostile.attacks.attack import Attack

ATTACKS: Sequence[Attack] = (
    *refusals.ATTACKS,
    *locks.ATTACKS,
    *writes.ATTACKS,
    *wakeups.ATTACKS,
    *load.ATTACKS,
    *port.ATTACKS,
)
"""Each has its share of the siege; the rows of an attack stay when the next begins."""
