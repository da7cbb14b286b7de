from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules.matcher import Firings
from xnovu_poller.rules.timing import MOST_CALENDARS, read_timing

_DAY = timedelta(days=1)


def days(calendar: dict[str, Any], first: date, last: date) -> list[date]:
    """Return the days of a calendar, each once."""
    firings = Firings(read_timing(RuleTrigger.CRON, {"calendar": calendar}))
    found, after = list[date](), datetime(first.year, first.month, first.day, tzinfo=UTC) - _DAY
    while (at := firings.find_next(after)) is not None and at.date() <= last:
        found.append(at.date())
        after = at
    return [day for day in found if day >= first]


def is_last(day: date) -> bool:
    """Return whether the next day begins a month."""
    return (day + _DAY).day == 1


def is_last_week(day: date) -> bool:
    """Return whether a week later is another month."""
    return (day + 7 * _DAY).month != day.month


@pytest.mark.parametrize(
    ("calendar", "matches"),
    [
        ({"day_of_month": "last"}, is_last),
        ({"day_of_month": " 1, LAST "}, lambda day: day.day == 1 or is_last(day)),
        ({"day_of_month": "last", "month": "2,4"}, lambda day: is_last(day) and day.month in {2, 4}),
        ({"day_of_month": "last", "day_of_week": "FRI"}, lambda day: is_last(day) and day.weekday() == 4),
        ({"day_of_week": "MON#2"}, lambda day: day.weekday() == 0 and 8 <= day.day <= 14),
        ({"day_of_week": "SUN#5"}, lambda day: day.weekday() == 6 and day.day >= 29),
        ({"day_of_week": "fri#last"}, lambda day: day.weekday() == 4 and is_last_week(day)),
        ({"day_of_week": "last FRIDAY"}, lambda day: day.weekday() == 4 and is_last_week(day)),
        (
            {"day_of_week": "MON#1,WED#1,FRI", "month": 2},
            lambda day: day.month == 2 and (day.weekday() == 4 or (day.weekday() in {0, 2} and day.day <= 7)),
        ),
        (
            {"day_of_week": "MON#2", "day_of_month": "1-10"},
            lambda day: day.weekday() == 0 and day.day in {8, 9, 10},
        ),
        (
            {"day_of_month": "last", "year": "2027-2028"},
            lambda day: is_last(day) and day.year in {2027, 2028},
        ),
    ],
)
def test_a_calendar_has_exactly_its_days(calendar: dict[str, Any], matches: Any) -> None:  # noqa: ANN401 - a lambda
    """Through leap years, and 2100, which is none."""
    for first, last in ((date(2027, 1, 1), date(2032, 12, 31)), (date(2095, 1, 1), date(2100, 12, 31))):
        expected = [first + n * _DAY for n in range((last - first).days + 1) if matches(first + n * _DAY)]
        assert days(calendar, first, last) == expected


@pytest.mark.parametrize(
    ("calendar", "instead"),
    [
        ({"day_of_week": "MON#6"}, "1 to 5 or last"),
        ({"day_of_week": "MON#"}, "1 to 5 or last"),
        ({"day_of_week": "2#1"}, "write its name"),
        ({"day_of_week": "MON-FRI#1"}, "MON#2"),
        ({"day_of_week": "XYZ#1"}, "such as SUN"),
        ({"day_of_week": "last"}, "last"),
        ({"day_of_month": "last-1"}, '"day_of_month": "last"'),
        ({"day_of_month": "L"}, '"day_of_month": "last"'),
        ({"day_of_week": "FRIL"}, "last"),
        ({"day_of_month": "1-7", "day_of_week": "MON#2"}, "never fires"),
        ({"day_of_month": "MON#2"}, "MON#2"),
        ({"hour": "last"}, "last"),
    ],
)
def test_a_day_that_does_not_exist_is_refused(calendar: dict[str, Any], instead: str) -> None:
    """The sentence names what to write instead."""
    with pytest.raises(RuleInvalid) as caught:
        read_timing(RuleTrigger.CRON, {"calendar": calendar})
    assert instead in caught.value.reason


def test_a_rule_has_a_bound_of_calendars() -> None:
    """Temporal gets them all, and each reconciliation compares them."""
    last = {"day_of_month": "last"}
    read = read_timing(RuleTrigger.CRON, {"calendar": [last] * 16})
    assert len(read.calendars) == MOST_CALENDARS
    with pytest.raises(RuleInvalid, match="too many last days"):
        read_timing(RuleTrigger.CRON, {"calendar": [last] * 17})
