"""Values of templates: JSON, with exact numbers.

A value is a `str`, an `int`, a `Decimal`, a `bool`, None, a `dict` or a `list`. A `float` is read as the decimal that its
`repr` shows. Types are compared with `type() is`, because a subclass may write anything.
"""

import operator
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, DecimalException, DivisionByZero, Inexact, InvalidOperation, Overflow
from math import isfinite
from typing import Any

MAX_DIGITS = 34
"""The most digits of a number in arithmetic, as in IEEE 754's decimal128."""

_MAX_EXPONENT = 400
_EXACT = Context(
    MAX_DIGITS, Emin=-_MAX_EXPONENT, Emax=_MAX_EXPONENT, traps=[Inexact, Overflow, InvalidOperation]
)
_ROUNDED = Context(
    MAX_DIGITS, Emin=-_MAX_EXPONENT, Emax=_MAX_EXPONENT, traps=[Overflow, InvalidOperation, DivisionByZero]
)

_MAX_BITS = 113  # of an integer of 34 digits
_SIZE = Decimal(1).__sizeof__()
"""The bytes of a `Decimal` of at most 76 digits; its digits cannot be counted in constant time."""

_KINDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    Decimal: "a number",
    type(None): "null",
    list: "a list",
    tuple: "a list",
    dict: "an object",
}


class Unfit(Exception):
    """A value does not fit where the template uses it; the statement around it adds its line.

    Attributes:
        reason: the fact and what to do, without the value.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def name_kind(value: object) -> str:
    """Return what a value is, for an error; never the value."""
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def to_text(value: object) -> str:
    """Return a value as JSON writes it; a text as it is, and null as nothing.

    Raises:
        Unfit: it is an object, a list, or a number that cannot be written.
    """
    if type(value) is str:
        return value
    if value is None:
        return ""
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        try:
            return str(value)
        except ValueError:  # Python converts no integer of more than 4,300 digits
            raise Unfit("a number is too long to be written; write it as text in the payload") from None
    if type(value) is Decimal or type(value) is float:
        return _write_decimal(value)
    reason = f"{name_kind(value)} cannot be written; write a path to a text or number, or add `| json`"
    raise Unfit(reason)


def _write_decimal(value: Decimal | float) -> str:
    decimal = _to_decimal(value)
    text = str(decimal)
    # `format` would write each zero of 1E+999999999.
    return format(decimal, "f") if "E" in text and abs(decimal.adjusted()) <= MAX_DIGITS else text


def _to_decimal(value: Decimal | float) -> Decimal:
    decimal = Decimal(repr(value)) if type(value) is float and isfinite(value) else value
    if type(decimal) is Decimal and decimal.is_finite():
        return decimal
    # Python's word for what no float can hold, which is no number.
    raise Unfit("a number is too large to be written; write it as text in the payload")


def to_number(value: object) -> int | Decimal:
    """Return a number with which arithmetic takes little time.

    Raises:
        Unfit: it is no number, or has too many digits.
    """
    if type(value) is int:
        if value.bit_length() <= _MAX_BITS:
            return value
        raise _too_many_digits()
    if type(value) is Decimal or type(value) is float:
        decimal = _to_decimal(value)
        if decimal.__sizeof__() > _SIZE or abs(decimal.adjusted()) > _MAX_EXPONENT:
            raise _too_many_digits()
        return decimal
    raise Unfit(f"{name_kind(value)} is not a number")


def _too_many_digits() -> Unfit:
    return Unfit(f"a number has more than {MAX_DIGITS} digits; arithmetic and comparisons take no more")


_OPERATIONS: Mapping[str, tuple[Callable[[int, int], int] | None, Callable[[Any, Any], Decimal]]] = {
    "+": (operator.add, _EXACT.add),
    "-": (operator.sub, _EXACT.subtract),
    "*": (operator.mul, _EXACT.multiply),
    "/": (None, _ROUNDED.divide),
}
"""Each operation on two integers, and on other numbers."""


def calculate(sign: str, left: object, right: object) -> int | Decimal:
    """Add, subtract, multiply or divide; exactly, except for a quotient, which has at most `MAX_DIGITS` digits.

    Raises:
        Unfit: a value is no number, the result has too many digits, or the divisor is zero.
    """
    a, b = to_number(left), to_number(right)
    of_integers, of_decimals = _OPERATIONS[sign]
    try:
        if type(a) is int and type(b) is int and of_integers is not None:
            return to_number(of_integers(a, b))
        return to_number(of_decimals(a, b))
    except DivisionByZero:
        raise Unfit("it divides by zero; ask with `if` before") from None
    except DecimalException:
        raise _too_many_digits() from None


def is_equal(left: object, right: object) -> bool:
    """Return whether two values are equal in JSON: `1` equals `1.0`, but neither true nor "1".

    Raises:
        Unfit: a list or an object is among them.
    """
    for value in (left, right):
        if type(value) in {list, dict, tuple}:
            raise Unfit(f"{name_kind(value)} cannot be compared; compare a text or number in it")
    if left is None or type(left) in {str, bool} or right is None or type(right) in {str, bool}:
        return type(left) is type(right) and left == right
    return to_number(left) == to_number(right)


def is_less(left: Any, right: Any) -> bool:  # noqa: ANN401 - any value of JSON
    """Return whether a text or a number comes before another.

    Raises:
        Unfit: they are not two texts or two numbers.
    """
    if type(left) is str and type(right) is str:
        return left < right
    if type(left) is str or type(right) is str:
        raise Unfit(f"{name_kind(left)} and {name_kind(right)} have no order")
    return to_number(left) < to_number(right)
