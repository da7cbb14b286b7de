"""The conditions and texts of a step, evaluated as Novu does: a part of JSONLogic, and Liquid's paths."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Json = Any

_PATH = re.compile(r"\{\{-?\s*([\w.-]+)\s*-?\}\}")


def find(path: object, values: Json) -> Json:
    """Return what a path such as `payload.order.id` leads to; None if it leads nowhere."""
    for name in str(path).split("."):
        if isinstance(values, list) and name.isdecimal() and int(name) < len(values):
            values = values[int(name)]
        elif isinstance(values, Mapping) and name in values:
            values = values[name]
        else:
            return None
    return values


def fill(text: str, values: Json) -> str:
    """Return a text with each `{{path}}` replaced by its value; a path that leads nowhere becomes empty."""

    def replace(found: re.Match[str]) -> str:
        value = find(found[1], values)
        return "" if value is None else str(value)

    return _PATH.sub(replace, text)


def evaluate(rule: Json, values: Json) -> Json:
    """Return the value of a JSONLogic rule; of an operator that is not known here, None.

    Source: JsonLogic, "Supported operations".
    """
    if isinstance(rule, list):
        return [evaluate(part, values) for part in rule]
    if not isinstance(rule, dict) or len(rule) != 1:
        return rule
    ((operator, given),) = rule.items()
    parts = [evaluate(part, values) for part in (given if isinstance(given, list) else [given])]
    if operator == "var":
        return _find_or_default(parts, values)
    operation = _OPERATIONS.get(operator)
    return None if operation is None else operation(parts)


def _find_or_default(parts: list[Json], values: Json) -> Json:
    found = find(parts[0], values)
    return parts[1] if found is None and len(parts) > 1 else found


def _is_in(parts: list[Json]) -> bool:
    needle, haystack = parts
    if isinstance(haystack, str):
        return isinstance(needle, str) and needle in haystack
    return isinstance(haystack, list) and needle in haystack


_OPERATIONS: Mapping[str, Callable[[list[Json]], Json]] = {
    "and": all,
    "or": any,
    "!": lambda parts: not parts[0],
    "!!": lambda parts: bool(parts[0]),
    "in": _is_in,
    "==": lambda parts: parts[0] == parts[1],
    "!=": lambda parts: parts[0] != parts[1],
}
