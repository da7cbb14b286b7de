"""The measures, by the names for `--only`."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from benchmarks.speed.peers.table import PEERS
from benchmarks.speed.scene import Figures, Scene

Measure = Callable[[Scene], Awaitable[Figures]]

EVERY: Final = 1_000
"""More rounds than anybody wants."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A measure in the list.

    Attributes:
        name: for `--only`.
        place: `module:function` in this package. It is imported when it runs, so that a missing package fails only the
            measure that needs it.
        rounds: it runs in the first rounds, up to this number.
    """

    name: str
    place: str
    rounds: int = EVERY

    def measure(self) -> Measure:
        """Return the function.

        Raises:
            ImportError: a package that it needs is not installed.
        """
        module, _, function = self.place.partition(":")
        if module == "peers":
            return PEERS[function].measure
        found: Measure = getattr(import_module(f"benchmarks.speed.{module}"), function)
        return found


_OURS = (
    Entry("default", "ours.draining:default"),
    Entry("single", "ours.draining:single"),
    Entry("idle", "ours.idle:latency"),
    Entry("group100", "ours.draining:group100"),
    Entry("sweep", "ours.draining:sweep"),
    # These count, so they vary little; and they take long.
    Entry("idle_cost", "ours.idle:cost", rounds=1),
    Entry("memory", "ours.memory:growth", rounds=1),
)

_REFERENCES = (
    Entry("local_activity", "references.temporal:local_activity"),
    Entry("standalone_activity", "references.temporal:standalone_activity"),
    Entry("five_activities", "references.temporal:five_activities"),
    Entry("bare", "references.temporal:bare"),
    Entry("http_only", "references.posts:measure"),
)

_PEERS = (
    *(Entry(name, f"peers:{name}") for name in PEERS),
    Entry("peers_idle", "peers.idle:measure", rounds=1),
)

_PARTS = (
    Entry("claims", "measures.claims:measure"),
    Entry("fairness", "measures.fairness:measure"),
    Entry("fair_p95", "measures.fairness:delay"),
    Entry("writers", "measures.writers:measure"),
    Entry("purging", "measures.purging:measure", rounds=1),
)

ENTRIES = (_REFERENCES[0], *_OURS, *_PEERS, *_REFERENCES[1:], *_PARTS)
"""Measures that are compared are close together, so that they run under the same conditions."""


def entries(only: tuple[str, ...], number: int) -> Iterator[Entry]:
    """Return the measures of a round, in order; every second round is in reverse order.

    Args:
        only: names of measures; empty for all.
        number: the number of the round, from 1.
    """
    for entry in ENTRIES if number % 2 else reversed(ENTRIES):
        if number <= entry.rounds and (not only or entry.name in only):
            yield entry
