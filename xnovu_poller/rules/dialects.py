"""Recognise cron expressions of other programs, whose fields and weekdays have other numbers, and translate them."""

import re
from dataclasses import dataclass

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

_QUARTZ = ("second", "minute", "hour", "day_of_month", "month", "day_of_week", "year")
_AWS = (*_QUARTZ[1:-1], "year")
_PLAIN = _QUARTZ[1:-1]

_CALL = re.compile(r"(cron|rate|at) ?\((.*)\)", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s)#")
_BLANK = re.compile(r"\s+([-,/])\s*|([-,/])\s+")
_NUMBER = re.compile(r"(?<![/#0-9])[0-9]+")

_OTHERWISE = (
    "write * instead of `?`, weekdays by name (SUN to SAT), a year, a last day or an nth weekday as"
    ' "calendar": {"hour": 9, "day_of_month": "last", "year": 2027}'
)


@dataclass(frozen=True, slots=True)
class Foreign:
    """An expression that is not ours.

    Attributes:
        reason: how we know, and what differs.
        instead: the expression that means the same here, if there is one; the caller reads it before it
            suggests it.
        otherwise: what to write if there is no such expression.
    """

    reason: str
    instead: str | None
    otherwise: str


def recognise(expression: str) -> Foreign | None:
    """Recognise an expression of another program; return None for any other, though it may still be wrong."""
    text = expression.strip()
    if call := _CALL.fullmatch(text):
        return _read_call(call[1].lower(), call[2].split())
    if _COMMENT.search(text):
        fields = _COMMENT.split(text)[0].strip()
        return Foreign("has a comment", fields, "write the fields only; the rule's name is for people")
    if _BLANK.search(text):
        joined = _BLANK.sub(lambda found: found[1] or found[2], text)
        return Foreign("has a blank inside a field", joined, "write ranges, lists and steps without blanks")
    return _recognise_fields(text.split())


def _recognise_fields(fields: list[str]) -> Foreign | None:
    """Recognise Quartz and AWS by `?` and by the number of fields."""
    if "?" not in fields and len(fields) != len(_QUARTZ):
        return None
    sign = "has `?`, which" if "?" in fields else "has 7 fields, which"
    # AWS has its days in the third and fifth field of six, Quartz in the fourth and sixth.
    if len(fields) == len(_AWS) and "?" in {fields[2], fields[4]}:
        return Foreign(
            f"{sign} is the form of AWS: the year comes last, and weekday 1 is Sunday",
            _translate(_AWS, fields),
            _OTHERWISE,
        )
    names = _PLAIN if len(fields) == len(_PLAIN) else _QUARTZ
    return Foreign(
        f"{sign} is the form of Quartz: weekday 1 is Sunday", _translate(names, fields), _OTHERWISE
    )


def _read_call(name: str, fields: list[str]) -> Foreign:
    """Read `cron(…)`, `rate(…)` or `at(…)` of AWS."""
    if name == "cron":
        return Foreign(
            "is the form of AWS: the year comes last, and weekday 1 is Sunday",
            _translate(_AWS, fields),
            _OTHERWISE,
        )
    other = '"interval": {"every": "5m"}' if name == "rate" else '"at" in a rule of trigger_type SCHEDULE'
    return Foreign("is the form of AWS", None, f"write {other} instead of {name}(…)")


def _translate(names: tuple[str, ...], fields: list[str]) -> str | None:
    """Return our expression for a foreign one; None if we have none, as for a year."""
    read = dict(zip(names, fields, strict=False))
    days = _translate_days(read.get("day_of_week", ""))
    if len(fields) > len(names) or read.pop("year", "*") != "*" or days is None:
        return None
    texts = (read | {"day_of_week": days}).values()
    return " ".join("*" if text == "?" else text for text in texts)


def _translate_days(text: str) -> str | None:
    """Return weekdays by name instead of by number; None if a number is no weekday."""
    numbers = [int(number) for number in _NUMBER.findall(text)]
    if not all(1 <= number <= len(_DAYS) for number in numbers):
        return None
    return _NUMBER.sub(lambda found: _DAYS[int(found[0]) - 1], text)
