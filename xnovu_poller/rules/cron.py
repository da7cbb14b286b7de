"""Cron's way of writing times, read into ranges: Temporal never gets the text.

A calendar says yes to a wall time where **all** of its fields do. Day of month and day of week are no
exception: `0 9 13 * 5` is Friday the 13th, as Temporal reads it; the old cron's "either of the two" is
written as two expressions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.rules.spec import FIRST_YEAR, LAST_YEAR, Calendar, Span

LONGEST = 1_000
"""Characters of an expression; every second of a minute written out takes a fifth of it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One of a calendar's fields: its bounds, the names of its numbers, and what it is if nobody says."""

    first: int
    last: int
    default: str = "*"
    names: Mapping[str, int] = field(default_factory=dict)


def _named(names: str, first: int) -> Mapping[str, int]:
    """Number names, by themselves and by their first three letters."""
    numbered = list(enumerate(names.split(), first))
    return MappingProxyType({spelt: number for number, name in numbered for spelt in (name, name[:3])})


_MONTHS = "JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER"
_DAYS = "SUNDAY MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY"

FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "second": Field(0, 59, "0"),
        "minute": Field(0, 59, "0"),
        "hour": Field(0, 23, "0"),
        "day_of_month": Field(1, 31),
        "month": Field(1, 12, names=_named(_MONTHS, 1)),
        "day_of_week": Field(0, 7, names=_named(_DAYS, 0)),  # Sunday at both ends
        "year": Field(FIRST_YEAR, LAST_YEAR),
    }
)

_CRON = ("second", "minute", "hour", "day_of_month", "month", "day_of_week")

_NICKNAMES: Mapping[str, str] = MappingProxyType(
    {
        "@yearly": "0 0 1 1 *",
        "@annually": "0 0 1 1 *",
        "@monthly": "0 0 1 * *",
        "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *",
        "@midnight": "0 0 * * *",
        "@hourly": "0 * * * *",
    }
)

_READ = re.compile(r"(\*|[0-9]{1,4}|[A-Z]{3,9})(?:-([0-9]{1,4}|[A-Z]{3,9}))?(?:/([0-9]{1,4}))?")

_FOREIGN = (
    (re.compile(r"\?"), "`?` is not known; write *"),
    (re.compile("#"), "no nth weekday; the second Monday is day of month 8-14 with day of week MON"),
    (
        re.compile("^L|[0-9]L"),
        "no last day; write a day that each month has, or one expression for each length of month",
    ),
    (re.compile("^W$|[0-9]W"), "no nearest weekday; write MON-FRI, or the days themselves"),
)


def calendar(path: str, expression: str) -> Calendar:
    """Read a cron expression: 5 fields, or 6 with the seconds first, or a nickname such as `@daily`.

    Raises:
        RuleInvalid: it cannot be read, and what to write instead.
    """
    if len(expression) > LONGEST:
        raise RuleInvalid(path, f"is longer than {LONGEST} characters; write several expressions as a list")
    texts = _texts(path, expression)
    return Calendar(
        **{name: spans(f"{path}: {name}", name, text) for name, text in zip(_CRON, texts, strict=True)}
    )


def _texts(path: str, expression: str) -> list[str]:
    """Take an expression apart, the seconds first."""
    if expression.lstrip().startswith("@"):
        expression = _nickname(path, expression.strip().lower())
    texts = expression.split()
    if texts and "TZ=" in texts[0].upper():
        raise RuleInvalid(path, 'no time zone in here; write it beside it, as "timezone"')
    if len(texts) == len(_CRON) - 1:
        texts.insert(0, "0")
    if len(texts) != len(_CRON):
        raise RuleInvalid(path, f"has {len(texts)} fields; {_why_not(len(texts))}")
    return texts


def _why_not(fields: int) -> str:
    """Say what to write instead of so many fields."""
    if fields == len(FIELDS):
        return 'write the year as a "calendar" with "year", or bound it by "start_at" and "end_at"'
    return "write 5 (minute, hour, day of month, month, day of week) or 6 with the second first"


def _nickname(path: str, name: str) -> str:
    """Give the expression that a nickname stands for."""
    if name.startswith("@every"):
        raise RuleInvalid(path, 'no @every; write "interval": {"every": "15m"} in place of "cron"')
    if name == "@reboot":
        raise RuleInvalid(path, "no @reboot; a rule fires by the time, not by a start")
    try:
        return _NICKNAMES[name]
    except KeyError:
        raise RuleInvalid(path, f"no such nickname; write one of {', '.join(_NICKNAMES)}") from None


def spans(path: str, name: str, value: object) -> tuple[Span, ...]:
    """Read one field: a number, or a text of numbers, names, ranges and steps, joined by commas.

    Raises:
        RuleInvalid: it cannot be read, and what to write instead.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value <= LAST_YEAR else "too large"
    if not isinstance(value, str) or not value.isascii():
        raise RuleInvalid(path, 'write a number, or a text such as "1-5" or "*/15"')
    if len(value) > LONGEST:
        raise RuleInvalid(path, f"is longer than {LONGEST} characters")
    if name == "year" and value.strip() == "*":
        return ()
    parts = (part.strip() for part in value.upper().split(","))
    return tuple(span for part in parts for span in _part(path, FIELDS[name], part))


def _part(path: str, known: Field, part: str) -> list[Span]:
    """Read one part between commas; a week that runs into its second Sunday gives two spans."""
    found = _READ.fullmatch(part)
    if found is None:
        raise RuleInvalid(path, _unread(known, part))
    first, last, step = found.groups()
    if first == "*":
        if last is not None:
            raise RuleInvalid(path, "`*` is all of them already; write * or a range")
        span = Span(known.first, known.last, _step(path, known, step))
    else:
        low = _number(path, known, first)
        high = _number(path, known, last) if last is not None else known.last if step is not None else low
        span = _upward(path, known, Span(low, high, _step(path, known, step)))
    return _one_sunday(span) if known is FIELDS["day_of_week"] else [span]


def _unread(known: Field, part: str) -> str:
    """Say what to write instead of a part that is none of ours."""
    for sign, instead in _FOREIGN:
        if sign.search(part):
            return instead
    names = f", or a name such as {min(known.names, key=known.names.__getitem__)[:3]}" if known.names else ""
    return f"write a number from {known.first} to {known.last}{names}, a range 2-4, a step */2 or a list 1,3"


def _number(path: str, known: Field, text: str) -> int:
    """Read a number or its name."""
    number = known.names.get(text, -1) if text.isalpha() else int(text)
    if not known.first <= number <= known.last:
        raise RuleInvalid(path, _unread(known, text))
    return number


def _step(path: str, known: Field, text: str | None) -> int:
    """Read a step; one that leaves the field at once was meant to be an interval."""
    step = 1 if text is None else int(text)
    if not 1 <= step <= known.last - known.first:
        raise RuleInvalid(
            path,
            f'a step is 1 to {known.last - known.first} here; write "interval": {{"every": …}} for longer ones',
        )
    return step


def _upward(path: str, known: Field, span: Span) -> Span:
    """Let a range end with the week, in its second Sunday; let none run backwards."""
    if known is FIELDS["day_of_week"] and span.last == 0 < span.first:
        return Span(span.first, known.last, span.step)
    if span.last < span.first:
        raise RuleInvalid(
            path,
            "a range runs upwards;"
            f" write {span.first}-{known.last},{known.first}-{span.last} for one that runs over the end",
        )
    return span


def _one_sunday(span: Span) -> list[Span]:
    """Let Sunday be 0, also where it was written as 7."""
    numbers = span.numbers()
    if numbers[-1] != FIELDS["day_of_week"].last:
        return [span]
    rest = [Span(numbers[0], numbers[-2], span.step)] if len(numbers) > 1 else []
    return rest if numbers[0] == 0 else [*rest, Span(0, 0)]
