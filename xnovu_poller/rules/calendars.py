"""Read calendars: the fields of cron as an object, with the last day of a month and nth weekdays.

Temporal has neither, so one calendar becomes several: an nth weekday is that weekday within seven days of the month,
and a last day has a calendar for each length of month. A calendar matches if all its fields do.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.rules.cron import FIELDS, read_spans
from xnovu_poller.rules.spec import FIRST_YEAR, LAST_YEAR, Calendar, Span
from xnovu_poller.rules.values import check_keys

_LAST = "LAST"
_NTH = re.compile(r"([A-Z]+)#([1-5]|LAST)|LAST ([A-Z]+)")
_NUMBERED = re.compile(r"[0-9]#|#[^1-5L]|#$")
_WEEK = 7

_LEAP_YEARS = frozenset(
    year for year in range(FIRST_YEAR, LAST_YEAR + 1) if year % 4 == 0 and (year % 100 or not year % 400)
)
_OTHER_YEARS = frozenset(range(FIRST_YEAR, LAST_YEAR + 1)) - _LEAP_YEARS
_ANY_YEAR = _LEAP_YEARS | _OTHER_YEARS
_LENGTHS = (
    (31, frozenset({1, 3, 5, 7, 8, 10, 12}), _ANY_YEAR),
    (30, frozenset({4, 6, 9, 11}), _ANY_YEAR),
    (29, frozenset({2}), _LEAP_YEARS),
    (28, frozenset({2}), _OTHER_YEARS),
)
"""The lengths of months, with the months and the years that have them."""

Days = str | frozenset[int]
"""Days of the month: `_LAST`, or their numbers."""


def read_calendars(path: str, value: object) -> tuple[Calendar, ...]:
    """Read a calendar object; it becomes one calendar, or several for a last day or an nth weekday.

    Raises:
        RuleInvalid: the object cannot be read; the reason names what to write instead.
    """
    given = read_fields(path, value)
    written = {name: given.get(name, known.default) for name, known in FIELDS.items()}
    days, weekdays = _read_days(path, written), _read_weekdays(path, written)
    fields = {
        name: read_spans(f"{path}.{name}", name, text)
        for name, text in written.items()
        if name not in {"day_of_month", "day_of_week"}
    }
    if _LAST not in days and list(weekdays) == [None]:
        spans = read_spans(f"{path}.day_of_month", "day_of_month", written["day_of_month"])
        return (Calendar(day_of_month=spans, day_of_week=weekdays[None], **fields),)
    plain = Calendar(day_of_month=(), day_of_week=(), **fields)
    return tuple(
        calendar
        for nth, spans in weekdays.items()
        for day in days
        for calendar in _expand(plain, day, nth, spans)
    )


def read_fields(path: str, value: object) -> Mapping[str, object]:
    """Return the fields of a calendar object as they are written.

    Raises:
        RuleInvalid: it is not an object, is empty, or has an unknown key.
    """
    if not isinstance(value, Mapping):
        raise RuleInvalid(
            path, 'is not an object; write an object, such as {"hour": 9, "day_of_week": "MON-FRI"}'
        )
    given = check_keys(f"{path}.", value, (*FIELDS, "comment"))
    if not isinstance(given.get("comment", ""), str):
        raise RuleInvalid(f"{path}.comment", "is not a text; write a text")
    if given.keys() <= {"comment"}:
        raise RuleInvalid(path, f"is empty; write one of {', '.join(FIELDS)}")
    return given


def _read_days(path: str, written: Mapping[str, object]) -> list[Days]:
    """Read the days of the month: `last`, numbers, or both."""
    text = written["day_of_month"]
    if not isinstance(text, str) or _LAST not in text.upper():
        return [_number(read_spans(f"{path}.day_of_month", "day_of_month", text))]
    parts = [part.strip() for part in text.split(",")]
    rest = ",".join(part for part in parts if part.upper() != _LAST)
    days: list[Days] = [_number(read_spans(f"{path}.day_of_month", "day_of_month", rest))] if rest else []
    return [*days, _LAST]


def _read_weekdays(path: str, written: Mapping[str, object]) -> dict[str | None, tuple[Span, ...]]:
    """Read the days of the week by which of the month's they are: None for all of them, `1` to `5`, or `LAST`."""
    path, text = f"{path}.day_of_week", written["day_of_week"]
    if not isinstance(text, str) or not ("#" in text or _LAST in text.upper()):
        return {None: read_spans(path, "day_of_week", text)}
    read: dict[str | None, list[str]] = {}
    for part in text.upper().split(","):
        if _NUMBERED.search(part):
            raise RuleInvalid(
                path, "has a weekday that cannot be read; write its name and 1 to 5 or last, such as MON#2"
            )
        found = _NTH.fullmatch(part.strip())
        nth, day = (found[2] or _LAST, found[1] or found[3]) if found else (None, part)
        read.setdefault(nth, []).append(day)
    return {nth: read_spans(path, "day_of_week", ",".join(days)) for nth, days in read.items()}


def _expand(plain: Calendar, day: Days, nth: str | None, weekdays: tuple[Span, ...]) -> Iterator[Calendar]:
    """Return a calendar for each length of month if its days depend on the length, else a single one."""
    months = _number(plain.month)
    years = _number(plain.year) or _ANY_YEAR
    by_length = _LAST in {day, nth}
    for length, its_months, its_years in _LENGTHS if by_length else ((31, months, _ANY_YEAR),):
        days = frozenset({length}) if isinstance(day, str) else day
        days &= _list_days_of(nth, length)
        if days and months & its_months and years & its_years:
            yield Calendar(
                second=plain.second,
                minute=plain.minute,
                hour=plain.hour,
                day_of_month=_span(days),
                month=_span(months & its_months),
                day_of_week=weekdays,
                year=() if years & its_years == _ANY_YEAR else _span(years & its_years),
            )


def _list_days_of(nth: str | None, length: int) -> frozenset[int]:
    """Return the days of a month on which a weekday is its nth."""
    if nth is None:
        return frozenset(range(1, length + 1))
    first = length - _WEEK + 1 if nth == _LAST else (int(nth) - 1) * _WEEK + 1
    return frozenset(range(first, min(first + _WEEK, 32)))


def _number(spans: Iterable[Span]) -> frozenset[int]:
    return frozenset(number for span in spans for number in span.numbers)


def _span(numbers: frozenset[int]) -> tuple[Span, ...]:
    """Return spans of numbers: leap years in steps of four, others as they follow each other."""
    if numbers == _LEAP_YEARS:
        return (Span(FIRST_YEAR, max(_LEAP_YEARS), 4),)
    runs = groupby(enumerate(sorted(numbers)), lambda item: item[1] - item[0])
    grouped = [[number for _, number in run] for _, run in runs]
    return tuple(Span(run[0], run[-1]) for run in grouped)
