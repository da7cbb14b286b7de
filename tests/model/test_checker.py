"""The checker finds what is wrong, by the shortest way, and nothing where nothing is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.model.checker import LOST, Step, check


@dataclass
class Graph:
    """Numbers, the way from one to the next, and what is wrong with some of them."""

    ways: Mapping[int, Sequence[Step[int]]]
    bad: dict[int, str] = field(default_factory=dict)
    end: int = 9
    start: int = 0

    def steps(self, state: int) -> Iterator[Step[int]]:
        """Go on."""
        yield from self.ways.get(state, ())

    def breach(self, state: int) -> str:
        """Say what is wrong."""
        return self.bad.get(state, "")

    def label(self, state: int) -> str:
        """Say whether it is an even one."""
        return "odd" if state % 2 else "even"

    def final(self, state: int) -> bool:
        """Say whether it is the end."""
        return state == self.end


def test_a_good_graph_is_walked_whole() -> None:
    """Each state once, each kind of step once."""
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
    """Though a longer one begins with the first step."""
    ways = {
        0: [Step("long", 1), Step("short", 3)],
        1: [Step("on", 2)],
        2: [Step("on", 3)],
        3: [Step("in", 4)],
    }

    violation = check(Graph(ways, bad={4: "bad"})).violation

    assert violation is not None
    assert (violation.breach, violation.trace) == ("bad", [("short", 3), ("in", 4)])


def test_a_bad_step_is_found_though_both_its_ends_are_good() -> None:
    """Also one that leads nowhere new."""
    violation = check(Graph({0: [Step("well", 9), Step("badly", 9, "bad")]})).violation

    assert violation is not None
    assert (violation.breach, violation.trace) == ("bad", [("badly", 9)])


def test_a_dead_end_is_lost() -> None:
    """And so is a ring without a way out."""
    for ways in (
        {0: [Step("out", 9), Step("in", 1)]},
        {0: [Step("out", 9), Step("in", 1)], 1: [Step("on", 1)]},
    ):
        violation = check(Graph(ways)).violation

        assert violation is not None
        assert (violation.breach, violation.trace) == (LOST, [("in", 1)])


def test_a_way_out_by_misfortune_alone_is_none() -> None:
    """An end that nobody may count on does not save what is stuck."""
    ways = {0: [Step("out", 9), Step("in", 1)], 1: [Step("killed", 9, misfortune=True)]}

    violation = check(Graph(ways)).violation

    assert violation is not None
    assert violation.breach == LOST
