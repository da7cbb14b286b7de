"""Walk every state that a model can reach, nearest first, and show the shortest way to a violation."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)


class Step(NamedTuple, Generic[S]):
    """A step of one of the actors.

    Attributes:
        name: the name of the step.
        after: the state that it leads to.
        breach: the promise that the step itself breaks; empty if none.
        misfortune: it may happen but need not: a crash, a refusal, a change of mind.
    """

    name: str
    after: S
    breach: str = ""
    misfortune: bool = False


class Model(Protocol[S]):
    """The model that the checker walks."""

    @property
    def start(self) -> S:
        """The first state."""

    def steps(self, state: S) -> Iterator[Step[S]]:
        """Yield every step that any actor can take next."""

    def breach(self, state: S) -> str:
        """Return the promise that a state breaks; empty if none."""

    def label(self, state: S) -> str:
        """Return the kind of a state."""

    def final(self, state: S) -> bool:
        """Return whether a state is final."""


@dataclass(frozen=True)
class Violation(Generic[S]):
    """A broken promise, and the shortest way there.

    Attributes:
        breach: the promise.
        trace: name of the step and the state after it, from the start.
    """

    breach: str
    trace: list[tuple[str, S]]


@dataclass(frozen=True)
class Report(Generic[S]):
    """The result of a walk.

    Attributes:
        states: the number of states, up to the violation if there is one.
        moves: every step, as the label before, the name, and the label after.
        violation: the first violation; None if every promise holds.
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
        self.predecessors: list[list[int]] = [[]]
        self.moves: set[tuple[str, str, str]] = set()

    def reach(self, number: int, step: Step[S]) -> bool:
        """Enter a step; return whether it leads to a new state."""
        after = self.numbers.setdefault(step.after, len(self.states))
        fresh = after == len(self.states)
        if fresh:
            self.states.append(step.after)
            self.came.append((number, step.name))
            self.predecessors.append([])
        if not step.misfortune:
            self.predecessors[after].append(number)
        return fresh

    def trace(self, number: int) -> list[tuple[str, S]]:
        """Return the way to a state."""
        way = []
        while number:
            before, name = self.came[number]
            way.append((name, self.states[number]))
            number = before
        return way[::-1]

    def lost(self, model: Model[S]) -> int | None:
        """Return the first state from which no final state can be reached without misfortunes."""
        left = [number for number, state in enumerate(self.states) if model.final(state)]
        saved = set(left)
        while left:
            new = [before for before in self.predecessors[left.pop()] if before not in saved]
            saved.update(new)
            left += new
        return next((number for number in range(len(self.states)) if number not in saved), None)


def check(model: Model[S]) -> Report[S]:
    """Walk a model: no state and no step may break a promise, and every state must have a way to a final state.

    That way may not include misfortunes, because nobody can rely on a crash or a person.
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
