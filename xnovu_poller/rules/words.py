"""Write in words when a rule fires: `0 9 * * 1-5` is "at 09:00, Monday to Friday"."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules.calendars import read_fields
from xnovu_poller.rules.cron import FIELDS, read_calendar, read_spans
from xnovu_poller.rules.spec import Calendar, Span
from xnovu_poller.rules.timing import list_parts, read_timing

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MOST_TIMES = 6
"""More times of a day are written as hours and minutes."""

_NTH = re.compile(r"([a-z]{3})[a-z]*#(\d|last)|last ([a-z]{3})[a-z]*", re.IGNORECASE)
_ORDINALS = {"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth", "LAST": "last"}


def describe_times(trigger: RuleTrigger, config: Mapping[str, Any]) -> str:
    """Return when a rule fires, in words and with its zone.

    Raises:
        RuleInvalid: the config cannot be served.
    """
    timing = read_timing(trigger, config)
    if timing.at is not None:
        return f"once, at {timing.at.astimezone(ZoneInfo(timing.shown_in)):%Y-%m-%d %H:%M:%S} in {timing.shown_in}"
    given = {key: value for key, value in config.items() if value is not None}
    calendars = [_describe_cron(path, text) for path, text in list_parts(given, "cron")]
    calendars += [_describe_calendar(path, each) for path, each in list_parts(given, "calendar")]
    parts = [f"{'; and '.join(calendars)}, in {timing.zone}"] if calendars else []
    parts += [
        f"every {_span(each.every)}" + (f", {_span(each.offset)} later" if each.offset else "")
        for each in timing.intervals
    ]
    return "; and ".join(parts)


def _describe_cron(path: str, text: str) -> str:
    calendar = read_calendar(path, text)
    spans = {each.name: getattr(calendar, each.name) for each in fields(Calendar)}
    return _join(
        _times(spans),
        _weekdays(spans["day_of_week"]),
        _month_days(spans["day_of_month"]),
        _months(spans["month"]),
    )


def _describe_calendar(path: str, value: object) -> str:
    given = read_fields(path, value)
    spans: dict[str, tuple[Span, ...]] = {}
    words = {"day_of_week": "", "day_of_month": ""}
    for name, known in FIELDS.items():
        written = given.get(name, known.default)
        if name in words and isinstance(written, str) and ("#" in written or "last" in written.lower()):
            words[name] = _special_days(written)
        else:
            spans[name] = read_spans(path, name, written)
    weekdays = words["day_of_week"] or _weekdays(spans["day_of_week"])
    days = words["day_of_month"] or _month_days(spans["day_of_month"])
    years = _list(spans["year"], str) if spans["year"] else ""
    return _join(_times(spans), weekdays, days, _months(spans["month"]), f"in {years}" if years else "")


def _join(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _times(spans: Mapping[str, Sequence[Span]]) -> str:
    """Return the times of a day."""
    second, minute, hour = (_numbers(spans[name]) for name in ("second", "minute", "hour"))
    if len(second) * len(minute) * len(hour) <= _MOST_TIMES:
        times = [(h, m, s) for h in hour for m in minute for s in second]
        written = [f"{h:02}:{m:02}" + (f":{s:02}" if second != [0] else "") for h, m, s in times]
        return f"at {_and(written)}"
    parts = [
        *([] if second == [0] else [_every(second, "second")]),
        *([] if second != [0] and len(minute) == 60 else [_every(minute, "minute")]),  # noqa: PLR2004 - all of an hour
    ]
    if len(hour) < 24:  # noqa: PLR2004 - all of a day
        parts.append(_hours(spans["hour"], hour))
    elif minute == [0] and second == [0]:
        return "every hour"
    return " ".join(parts)


def _every(numbers: Sequence[int], unit: str) -> str:
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 0
    if step and numbers == list(range(0, 60, step)) and not 60 % step:
        return f"every {unit}" if step == 1 else f"every {step} {unit}s"
    return f"at {unit}{'s' if len(numbers) > 1 else ''} {_and(list(map(str, numbers)))}"


def _hours(spans: Sequence[Span], hours: Sequence[int]) -> str:
    if len(spans) == 1 and spans[0].step == 1 and len(hours) > 1:
        return f"from {hours[0]:02}:00 to {hours[-1]:02}:59"
    return f"of hour{'s' if len(hours) > 1 else ''} {_and([f'{hour:02}' for hour in hours])}"


def _weekdays(spans: Sequence[Span]) -> str:
    if len(_numbers(spans)) == len(_DAYS):
        return ""
    return _list(spans, lambda number: _DAYS[number])


def _month_days(spans: Sequence[Span]) -> str:
    numbers = _numbers(spans)
    if len(numbers) == 31:  # noqa: PLR2004 - all of a month
        return ""
    return f"on day{'s' if len(numbers) > 1 else ''} {_list(spans, str)} of the month"


def _months(spans: Sequence[Span]) -> str:
    if len(_numbers(spans)) == len(_MONTHS):
        return ""
    return f"in {_list(spans, lambda number: _MONTHS[number - 1])}"


def _special_days(written: str) -> str:
    """Return days of which some are the last or the nth of their month."""
    parts: list[str] = []
    for part in (each.strip() for each in written.split(",")):
        found = _NTH.fullmatch(part)
        if found is not None:
            nth, day = (found[2].upper(), found[1]) if found[1] else ("LAST", found[3])
            name = next((each for each in _DAYS if each[:3].lower() == day[:3].lower()), day)
            parts.append(f"the {_ORDINALS[nth]} {name}")
        else:
            parts.append("the last day" if part.lower() == "last" else f"day {part}")
    return f"on {_and(parts)} of the month"


def _list(spans: Sequence[Span], name: Callable[[int], str]) -> str:
    parts: list[str] = []
    for span in spans:
        numbers = span.numbers
        if span.step == 1 and len(numbers) > 2:  # noqa: PLR2004 - two are a list, not a range
            parts.append(f"{name(numbers[0])} to {name(numbers[-1])}")
        else:
            parts += map(name, numbers)
    return _and(parts)


def _and(parts: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def _numbers(spans: Sequence[Span]) -> list[int]:
    return sorted({number for span in spans for number in span.numbers})


def _span(length: timedelta) -> str:
    """Return a duration in all of its units: 1 h 30 min."""
    seconds = int(length.total_seconds())
    parts: list[str] = []
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            count, seconds = divmod(seconds, size)
            parts.append(f"{count} {unit.removesuffix('s') if unit == 'days' and count == 1 else unit}")
    return " ".join(parts)
