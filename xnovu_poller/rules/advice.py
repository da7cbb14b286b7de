"""Warn about times that can be served, but may not be those that their writer means."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules import cron
from xnovu_poller.rules.calendars import read_fields
from xnovu_poller.rules.spec import Calendar, Span
from xnovu_poller.rules.timing import list_parts, read_timing
from xnovu_poller.rules.zones import explain_sign

_CYCLES: Mapping[str, tuple[int, str, str]] = MappingProxyType(
    {
        "second": (60, "with each minute", 's"'),
        "minute": (60, "with each hour", 'm"'),
        "hour": (24, "with each day", 'h"'),
        "day_of_month": (31, "with each month", 'd"'),
        "month": (12, "with each year", ""),
        "day_of_week": (7, "with each week", ""),
    }
)
"""The numbers of a field, when they begin again, and the unit of an interval as long as a step, if there is one."""

_LEAST_DAY = 28
"""Each month has the days up to this number."""

_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY, _LEAP_DAY = 2, 29


@dataclass(frozen=True, slots=True)
class Advice:
    """A doubt about a valid rule: the part of it, and what happens, with what to write if it is not meant."""

    where: str
    reason: str


def advise(trigger: RuleTrigger, config: Mapping[str, Any]) -> list[Advice]:
    """Return the doubts about a trigger_config; none if it is invalid."""
    try:
        read_timing(trigger, config)
    except RuleInvalid:
        return []
    return list(_advise(trigger, {key: value for key, value in config.items() if value is not None}))


def _advise(trigger: RuleTrigger, config: Mapping[str, Any]) -> Iterator[Advice]:
    if (sign := explain_sign(str(config.get("timezone")))) is not None:
        yield Advice(
            "timezone", f'"{config["timezone"]}" is {sign}; write the other sign if you mean the opposite'
        )
    if trigger != RuleTrigger.CRON:
        return
    for path, text in list_parts(config, "cron"):
        calendar = cron.read_calendar(path, text)
        for name in _CYCLES:
            yield from _advise_step(f"{path}: {name}", name, getattr(calendar, name))
        yield from _advise_days(f"{path}: day_of_month", calendar)
    for path, value in list_parts(config, "calendar"):
        yield from _advise_calendar(path, read_fields(path, value))


def _advise_calendar(path: str, given: Mapping[str, Any]) -> Iterator[Advice]:
    """Advise on the fields that are written as in cron; last days and nth weekdays are explicit."""
    spans: dict[str, tuple[Span, ...]] = {}
    for name in given.keys() & _CYCLES.keys():
        try:
            spans[name] = cron.read_spans(f"{path}.{name}", name, given[name])
        except RuleInvalid:
            continue
        yield from _advise_step(f"{path}.{name}", name, spans[name])
    if "day_of_month" in spans:
        months = spans.get("month", (Span(1, len(cron.MONTHS)),))
        yield from _advise_days(
            f"{path}.day_of_month", Calendar((), (), (), spans["day_of_month"], months, ())
        )


def _advise_step(where: str, name: str, spans: Sequence[Span]) -> Iterator[Advice]:
    """Warn of a step through a whole field that does not divide it: its last gap is shorter or longer."""
    size, again, unit = _CYCLES[name]
    first = cron.FIELDS[name].first
    for span in spans:
        numbers = span.numbers
        is_complete = span.last >= first + size - 1 and numbers[0] - first < span.step
        if span.step == 1 or not is_complete or (size % span.step == 0 and name != "day_of_month"):
            continue
        interval = f'; for equal gaps write "interval": {{"every": "{span.step}{unit}}}' if unit else ""
        shown = ", ".join(map(str, numbers[:4])) + (", …" if len(numbers) > len(numbers[:4]) else "")
        yield Advice(where, f"the step of {span.step} begins again {again}: {shown}{interval}")


def _advise_days(where: str, calendar: Calendar) -> Iterator[Advice]:
    """Warn of days that some of the months do not have."""
    months = sorted({number for span in calendar.month for number in span.numbers})
    days = {span.first for span in calendar.day_of_month if span.first == span.last}
    if calendar.day_of_month and all(span.first > _LEAST_DAY for span in calendar.day_of_month):
        days |= {min(span.first for span in calendar.day_of_month)}
    for day in sorted(days):
        without = [month for month in months if day > _LENGTHS[month - 1]]
        if without == [_FEBRUARY] and day == _LEAP_DAY:
            yield Advice(
                where, 'February has a day 29 only in leap years; for its last day write "last" in a calendar'
            )
        elif without:
            names = ", ".join(cron.MONTHS[month - 1].title() for month in without)
            yield Advice(
                where,
                f"there is no day {day} in {names}; for the last day of each month write"
                ' "calendar": {"day_of_month": "last"}',
            )
