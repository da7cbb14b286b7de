"""Walks every state that a model can reach, nearest first, and shows the shortest way to what must not be."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)


class Step(NamedTuple, Generic[S]):
    """One step of one of the actors.

    Attributes:
        name: what is done.
        after: the state that it leads to.
        breach: the promise that the step itself breaks; empty if none.
        misfortune: nobody may count on it: a crash, a refusal, a change of mind.
    """

    name: str
    after: S
    breach: str = ""
    misfortune: bool = False


class Model(Protocol[S]):
    """What the checker walks."""

    @property
    def start(self) -> S:
        """Where everything begins."""

    def steps(self, state: S) -> Iterator[Step[S]]:
        """Every step that any actor can take next."""

    def breach(self, state: S) -> str:
        """Name the promise that a state breaks; empty if none."""

    def label(self, state: S) -> str:
        """Name a state's kind."""

    def final(self, state: S) -> bool:
        """Whether the end is reached."""


@dataclass(frozen=True)
class Violation(Generic[S]):
    """A promise that is broken, and the shortest way there.

    Attributes:
        breach: the promise.
        trace: name of the step and the state after it, from the start on.
    """

    breach: str
    trace: list[tuple[str, S]]


@dataclass(frozen=True)
class Report(Generic[S]):
    """What a walk has found.

    Attributes:
        states: how many there are; up to the violation, if there is one.
        moves: every step that was taken, as the labels before and after it, and its name between them.
        violation: the first that was met; None if every promise holds.
    """

    states: int
    moves: set[tuple[str, str, str]]
    violation: Violation[S] | None


LOST = "lost: no end is left, even if nothing goes wrong any more"


class _Walk(Generic[S]):
    """The states found so far, numbered, each with the step that first led there.

    Args:
        start: number 0.
    """

    def __init__(self, start: S) -> None:
        self.states = [start]
        self.numbers = {start: 0}
        self.came: list[tuple[int, str]] = [(0, "")]
        self.hopes: list[list[int]] = [[]]
        self.moves: set[tuple[str, str, str]] = set()

    def reach(self, number: int, step: Step[S]) -> bool:
        """Enter a step; tell whether it leads to a new state."""
        after = self.numbers.setdefault(step.after, len(self.states))
        fresh = after == len(self.states)
        if fresh:
            self.states.append(step.after)
            self.came.append((number, step.name))
            self.hopes.append([])
        if not step.misfortune:
            self.hopes[after].append(number)
        return fresh

    def trace(self, number: int) -> list[tuple[str, S]]:
        """Give the way to a state."""
        way = []
        while number:
            before, name = self.came[number]
            way.append((name, self.states[number]))
            number = before
        return way[::-1]

    def lost(self, model: Model[S]) -> int | None:
        """Give the first state from which no end can be reached by luck."""
        left = [number for number, state in enumerate(self.states) if model.final(state)]
        saved = set(left)
        while left:
            new = [before for before in self.hopes[left.pop()] if before not in saved]
            saved.update(new)
            left += new
        return next((number for number in range(len(self.states)) if number not in saved), None)


def check(model: Model[S]) -> Report[S]:
    """Walk a model: no state and no step may break a promise, and from every state an end can be reached.

    The last is asked of luck alone: misfortunes are left out, so that an end is never only somebody's mercy.
    """
    walk = _Walk(model.start)
    number = 0
    while number < len(walk.states):
        state = walk.states[number]
        for step in model.steps(state):
            breach = step.breach
            if walk.reach(number, step):
                breach = breach or model.breach(step.after)
            if breach:
                trace = [*walk.trace(number), (step.name, step.after)]
                return Report(len(walk.states), walk.moves, Violation(breach, trace))
            walk.moves.add((model.label(state), step.name, model.label(step.after)))
        number += 1
    lost = walk.lost(model)
    violation = None if lost is None else Violation(LOST, walk.trace(lost))
    return Report(len(walk.states), walk.moves, violation)
