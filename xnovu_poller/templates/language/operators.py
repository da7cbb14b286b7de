"""Operators: functions that combine the readers of their operands."""

import ast
from collections.abc import Callable, Mapping
from typing import Any

from xnovu_poller.templates.language.paths import contains
from xnovu_poller.templates.language.state import Read, State
from xnovu_poller.templates.language.values import Unfit, calculate, is_equal, is_less, name_kind

Combine = Callable[[Read, Read], Read]
"""Return the reader of an operation on two values."""

_LONG_TEXT = 256


def either(reads: tuple[Read, ...]) -> Read:
    """Return the reader of `a or b or …`."""
    *firsts, last = reads

    def read(state: State) -> Any:  # noqa: ANN401 - any value of JSON
        for each in firsts:
            if value := each(state):
                return value
        return last(state)

    return read


def both(reads: tuple[Read, ...]) -> Read:
    """Return the reader of `a and b and …`."""
    *firsts, last = reads

    def read(state: State) -> Any:  # noqa: ANN401 - any value of JSON
        for each in firsts:
            value = each(state)
            if not value:
                return value
        return last(state)

    return read


def minus(read: Read) -> Read:
    """Return the reader of `-a`."""
    return lambda state: calculate("-", 0, read(state))


def _add(left: Read, right: Read) -> Read:
    def read(state: State) -> Any:  # noqa: ANN401 - a text or a number
        a, b = left(state), right(state)
        if type(a) is str and type(b) is str:
            state.grow(len(a) + len(b))
            return a + b
        if type(a) is str or type(b) is str:
            raise Unfit(f"{name_kind(a)} and {name_kind(b)} cannot be added; write ${{…}} beside each other")
        return calculate("+", a, b)

    return read


def _arithmetic(operator: str) -> Combine:
    return lambda left, right: lambda state: calculate(operator, left(state), right(state))


def _pay(state: State, left: object, right: object) -> None:
    """Take steps for a comparison of long texts."""
    if type(left) is str and type(right) is str and len(left) > _LONG_TEXT:
        state.spend(min(len(left), len(right)) // _LONG_TEXT)


def _equality(*, expected: bool) -> Combine:
    def combine(left: Read, right: Read) -> Read:
        def read(state: State) -> bool:
            a, b = left(state), right(state)
            _pay(state, a, b)
            return is_equal(a, b) is expected

        return read

    return combine


def _order(*, swapped: bool, expected: bool) -> Combine:
    def combine(left: Read, right: Read) -> Read:
        def read(state: State) -> bool:
            a, b = left(state), right(state)
            _pay(state, a, b)
            return (is_less(b, a) if swapped else is_less(a, b)) is expected

        return read

    return combine


def _membership(*, expected: bool) -> Combine:
    return lambda left, right: lambda state: contains(state, left(state), right(state), is_equal) is expected


ARITHMETIC: Mapping[type[ast.operator], Combine] = {
    ast.Add: _add,
    ast.Sub: _arithmetic("-"),
    ast.Mult: _arithmetic("*"),
    ast.Div: _arithmetic("/"),
}
"""The operations on numbers; `+` joins texts too."""

COMPARISONS: Mapping[type[ast.cmpop], Combine] = {
    ast.Eq: _equality(expected=True),
    ast.NotEq: _equality(expected=False),
    ast.Lt: _order(swapped=False, expected=True),
    ast.GtE: _order(swapped=False, expected=False),
    ast.Gt: _order(swapped=True, expected=True),
    ast.LtE: _order(swapped=True, expected=False),
    ast.In: _membership(expected=True),
    ast.NotIn: _membership(expected=False),
}
"""The comparisons."""
