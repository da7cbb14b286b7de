"""Read cron expressions into ranges of numbers: Temporal never gets the text.

A calendar matches a wall time if **all** of its fields do, day of month and day of week included: `0 9 13 * 5` is
Friday the 13th, as Temporal reads it. For "either of the two", as in the old cron, write two expressions.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.rules.dialects import Foreign, recognise
from xnovu_poller.rules.spec import FIRST_YEAR, LAST_YEAR, Calendar, Span

LONGEST = 1_000
"""The most characters of an expression; a list of all 60 seconds takes a fifth of it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One of a calendar's fields: its bounds, its value if it is not written, and the names of its numbers."""

    first: int
    last: int
    default: str = "*"
    names: Mapping[str, int] = field(default_factory=dict)


def _number_names(names: str, first: int) -> Mapping[str, int]:
    """Number names from `first` on; each name counts in full and by its first three letters."""
    numbered = list(enumerate(names.split(), first))
    return MappingProxyType({spelt: number for number, name in numbered for spelt in (name, name[:3])})


_MONTHS = "JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER"
_DAYS = "SUNDAY MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY"

MONTHS = tuple(_MONTHS.split())
"""The months by name."""

FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "second": Field(0, 59, "0"),
        "minute": Field(0, 59, "0"),
        "hour": Field(0, 23, "0"),
        "day_of_month": Field(1, 31),
        "month": Field(1, 12, names=_number_names(_MONTHS, 1)),
        "day_of_week": Field(0, 7, names=_number_names(_DAYS, 0)),  # Sunday is 0 and 7
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

_PART = re.compile(r"(\*|[0-9]{1,4}|[A-Z]{3,9})(?:-([0-9]{1,4}|[A-Z]{3,9}))?(?:/([0-9]{1,4}))?")

_FOREIGN = (
    (re.compile(r"\?"), "`?` is not supported; write *"),
    (
        re.compile("#"),
        'an nth weekday belongs in a calendar; write "calendar": {"hour": 9, "day_of_week": "MON#2"}',
    ),
    (
        re.compile("^LAST|^L|[0-9A-Z]L$"),
        'a last day belongs in a calendar; write "calendar": {"hour": 9, "day_of_month": "last"}',
    ),
    (re.compile("^W$|[0-9]W"), "a nearest weekday is not supported; write MON-FRI, or the days themselves"),
)


def read_calendar(path: str, expression: str) -> Calendar:
    """Read a cron expression: 5 fields, or 6 with the seconds first, or a nickname such as `@daily`.

    Args:
        path: where in the rule the expression is written; errors name it.
        expression: of at most `LONGEST` characters.

    Raises:
        RuleInvalid: the expression cannot be read; the reason names what to write instead.
    """
    if len(expression) > LONGEST:
        raise RuleInvalid(path, f"is longer than {LONGEST} characters; write several expressions as a list")
    texts = _split(path, expression)
    return Calendar(
        **{name: read_spans(f"{path}: {name}", name, text) for name, text in zip(_CRON, texts, strict=True)}
    )


def _split(path: str, expression: str) -> list[str]:
    """Split an expression into its six fields, the seconds first."""
    if expression.lstrip().startswith("@"):
        expression = _expand(path, expression.strip().lower())
    texts = expression.split()
    if texts and "TZ=" in texts[0].upper():
        raise RuleInvalid(path, 'has a time zone; write it as "timezone" beside the expression')
    if foreign := recognise(expression):
        raise RuleInvalid(path, f"{foreign.reason}; {_suggest(foreign)}")
    if len(texts) == len(_CRON) - 1:
        texts.insert(0, "0")
    if len(texts) != len(_CRON):
        raise RuleInvalid(
            path,
            f"has {len(texts)} fields;"
            " write 5 (minute, hour, day of month, month, day of week) or 6 with the second first",
        )
    return texts


def _suggest(foreign: Foreign) -> str:
    """Return what to write instead of a foreign expression: a whole one only if we can read it."""
    if foreign.instead is not None:
        with suppress(RuleInvalid):
            read_calendar("", foreign.instead)
            return f'write "{foreign.instead}"'
    return foreign.otherwise


def _expand(path: str, name: str) -> str:
    """Return the expression that a nickname stands for."""
    if name.startswith("@every"):
        raise RuleInvalid(
            path, '@every is not supported; write "interval": {"every": "15m"} instead of "cron"'
        )
    if name == "@reboot":
        raise RuleInvalid(path, "@reboot is not supported; a rule fires by the time, so write one")
    try:
        return _NICKNAMES[name]
    except KeyError:
        raise RuleInvalid(path, f"there is no such nickname; write one of {', '.join(_NICKNAMES)}") from None


def read_spans(path: str, name: str, value: object) -> tuple[Span, ...]:
    """Read one field: a number, or a text of numbers, names, ranges and steps, joined by commas.

    Args:
        path: where in the rule the field is written; errors name it.
        name: which of `FIELDS` it is.
        value: as JSON has it.

    Returns:
        The numbers of the field; none for a year that may be any.

    Raises:
        RuleInvalid: the field cannot be read; the reason names what to write instead.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value <= LAST_YEAR else "too large"
    if not isinstance(value, str) or not value.isascii():
        raise RuleInvalid(path, 'cannot be read; write a number, or a text such as "1-5" or "*/15"')
    if len(value) > LONGEST:
        raise RuleInvalid(path, f"is longer than {LONGEST} characters; write it shorter")
    if name == "year" and value.strip() == "*":
        return ()
    parts = (part.strip() for part in value.upper().split(","))
    return tuple(span for part in parts for span in _read_part(path, FIELDS[name], part))


def _read_part(path: str, known: Field, part: str) -> list[Span]:
    """Read one part between commas; days of the week that reach Sunday as 7 may give two spans."""
    found = _PART.fullmatch(part)
    if found is None:
        raise RuleInvalid(path, _explain_part(known, part))
    first, last, step = found.groups()
    if first == "*":
        if last is not None:
            raise RuleInvalid(path, "`*` already means all of them; write * or a range")
        span = Span(known.first, known.last, _read_step(path, known, step))
    else:
        low = _read_number(path, known, first)
        high = (
            _read_number(path, known, last) if last is not None else known.last if step is not None else low
        )
        span = _check_order(path, known, Span(low, high, _read_step(path, known, step)))
    return _map_sunday(span) if known is FIELDS["day_of_week"] else [span]


def _explain_part(known: Field, part: str) -> str:
    """Return what to write instead of a part that we cannot read."""
    for sign, instead in _FOREIGN:
        if sign.search(part):
            return instead
    names = f", or a name such as {min(known.names, key=known.names.__getitem__)[:3]}" if known.names else ""
    return f"cannot be read; write a number from {known.first} to {known.last}{names}, a range 2-4, a step */2 or a list 1,3"


def _read_number(path: str, known: Field, text: str) -> int:
    number = known.names.get(text, -1) if text.isalpha() else int(text)
    if not known.first <= number <= known.last:
        raise RuleInvalid(path, _explain_part(known, text))
    return number


def _read_step(path: str, known: Field, text: str | None) -> int:
    """Read a step; refuse one longer than the field, which was meant to be an interval."""
    step = 1 if text is None else int(text)
    if not 1 <= step <= known.last - known.first:
        raise RuleInvalid(
            path,
            f"has a step out of bounds; write 1 to {known.last - known.first},"
            ' or "interval": {"every": …} for a longer one',
        )
    return step


def _check_order(path: str, known: Field, span: Span) -> Span:
    """Refuse a range that runs backwards; let a range end with Sunday as 7 if it is written as 0."""
    if known is FIELDS["day_of_week"] and span.last == 0 < span.first:
        return Span(span.first, known.last, span.step)
    if span.last < span.first:
        raise RuleInvalid(
            path,
            "has a range that runs backwards;"
            f" to pass the end write {span.first}-{known.last},{known.first}-{span.last}",
        )
    return span


def _map_sunday(span: Span) -> list[Span]:
    """Turn Sunday as 7 into Sunday as 0."""
    numbers = span.numbers
    if numbers[-1] != FIELDS["day_of_week"].last:
        return [span]
    rest = [Span(numbers[0], numbers[-2], span.step)] if len(numbers) > 1 else []
    return rest if numbers[0] == 0 else [*rest, Span(0, 0)]
