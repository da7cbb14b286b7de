"""The checker finds each violation by the shortest way, and none in a correct model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.model.checker import LOST, Step, check


@dataclass
class Graph:
    """Numbers, the steps between them, and the faults of some of them."""

    ways: Mapping[int, Sequence[Step[int]]]
    bad: dict[int, str] = field(default_factory=dict)
    end: int = 9
    start: int = 0

    def steps(self, state: int) -> Iterator[Step[int]]:
        """Yield the steps from a number."""
        yield from self.ways.get(state, ())

    def breach(self, state: int) -> str:
        """Return the fault of a number; empty if it has none."""
        return self.bad.get(state, "")

    def label(self, state: int) -> str:
        """Return whether the number is odd or even."""
        return "odd" if state % 2 else "even"

    def final(self, state: int) -> bool:
        """Return whether the number is the end."""
        return state == self.end


def test_a_good_graph_is_walked_completely() -> None:
    """The walk visits each state once and lists each kind of step once."""
    report = check(Graph({0: [Step("a", 1), Step("b", 9)], 1: [Step("c", 9), Step("d", 0)]}))

    assert report.violation is None
    assert report.states == 3
    assert report.moves == {
        ("even", "a", "odd"),
        ("even", "b", "odd"),
        ("odd", "c", "odd"),
        ("odd", "d", "even"),
    }


def test_the_shortest_way_to_a_bad_state_is_shown() -> None:
    """It is found even if a longer way begins with the first step."""
    ways = {
        0: [Step("long", 1), Step("short", 3)],
        1: [Step("on", 2)],
        2: [Step("on", 3)],
        3: [Step("in", 4)],
    }

    violation = check(Graph(ways, bad={4: "bad"})).violation

    assert violation is not None
    assert (violation.breach, violation.trace) == ("bad", [("short", 3), ("in", 4)])


def test_a_bad_step_is_found_even_if_both_its_ends_are_good() -> None:
    """Even a step to a known state is checked."""
    violation = check(Graph({0: [Step("well", 9), Step("badly", 9, "bad")]})).violation

    assert violation is not None
    assert (violation.breach, violation.trace) == ("bad", [("badly", 9)])


def test_a_dead_end_is_lost() -> None:
    """A loop without a way out is lost too."""
    for ways in (
        {0: [Step("out", 9), Step("in", 1)]},
        {0: [Step("out", 9), Step("in", 1)], 1: [Step("on", 1)]},
    ):
        violation = check(Graph(ways)).violation

        assert violation is not None
        assert (violation.breach, violation.trace) == (LOST, [("in", 1)])


def test_a_way_out_by_misfortune_does_not_count() -> None:
    """Nobody can rely on it."""
    ways = {0: [Step("out", 9), Step("in", 1)], 1: [Step("killed", 9, misfortune=True)]}

    violation = check(Graph(ways)).violation

    assert violation is not None
    assert violation.breach == LOST
