"""Finds the times of a calendar exactly as Temporal's server does, its faults around clock changes included.

The server walks wall times, not instants. Where a wall time happens twice or never, these rules decide:

- A wall time becomes an instant by two looks at the zone's offset (`instant`): of the two copies of an
  hour, zones west of Greenwich get the first, Greenwich and zones east of it the second.
- An hour that does not exist is passed over.
- Where the next full hour lies more than one hour ahead, the hour is walked again, an hour later: so
  01:30 in New York fires twice.
- A walk that begins in the second copy of an hour, told by "an hour ago it was the same hour", adds an hour
  to what it finds within that hour.

In Greenwich and east of it the last two rules meet the wrong hours: there, in the night of the autumn change,
a daily rule of the hour before fires again an hour later, and a rule of several times an hour loses firings.
What happens is what we foretell.

Source: the server's own answers, compared in tests/integration/rules/test_preview.py.
"""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from xnovu_poller.rules.spec import FIRST_YEAR, LAST_YEAR, Calendar, Interval, Span, Timing

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""From here intervals are counted."""

BEGINNING = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
"""Before the first second that Temporal knows."""

_END = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
_LAST_WALL = datetime(LAST_YEAR, 12, 31, 23, 59, 59)  # noqa: DTZ001 - a wall time

_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_WEEK = 7


def instant(wall: datetime, zone: tzinfo) -> datetime:
    """Give the instant that the server takes a wall time for.

    Args:
        wall: naive; may happen twice or never.
        zone: where.

    Returns:
        An aware time in UTC.
    """
    as_if = wall.replace(tzinfo=UTC)
    near = as_if - _offset(as_if, zone)
    return as_if - _offset(near, zone)


def wall_time(at: datetime, zone: tzinfo) -> datetime:
    """Give what the clock on the wall shows, naive."""
    return at.astimezone(zone).replace(tzinfo=None)


def exists(wall: datetime, zone: tzinfo) -> bool:
    """Say whether the clock on the wall ever shows a naive time."""
    return wall_time(wall.replace(tzinfo=zone).astimezone(UTC), zone) == wall


def _offset(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


class Matcher:
    """One calendar in one zone."""

    def __init__(self, calendar: Calendar, zone: tzinfo) -> None:
        self._zone = zone
        self._seconds = _numbers(calendar.second)
        self._minutes = _numbers(calendar.minute)
        self._hours = _numbers(calendar.hour)
        self._days = _numbers(calendar.day_of_month)
        self._months = _numbers(calendar.month)
        self._weekdays = _numbers(calendar.day_of_week)
        self._years = _numbers(calendar.year)
        self._days_by_month: dict[tuple[int, int], list[int]] = {}

    def matches(self, wall: datetime) -> bool:
        """Say whether a wall time is one of the calendar's."""
        return (
            wall.second in self._seconds
            and wall.minute in self._minutes
            and wall.hour in self._hours
            and wall.day in self._days
            and wall.month in self._months
            and wall.isoweekday() % _WEEK in self._weekdays
            and self._has(wall.year)
        )

    def next(self, after: datetime, until: datetime = _END) -> datetime | None:
        """Give the first time after one, both in UTC and in whole seconds.

        Args:
            after: it lies after this.
            until: nobody asks for one that lies later, so that the search may stop.

        Returns:
            None: none before the year 2101, or none until then.
        """
        wall = wall_time(after, self._zone)
        # No wall time is as far from its instant as a day.
        last = min(wall_time(until, self._zone) + _DAY, _LAST_WALL)
        again = wall_time(after - _HOUR, self._zone).hour == wall.hour
        if (wall + _SECOND).hour == wall.hour:
            return self._walk(wall + _SECOND, last, again=again)
        hour, again = self._hour_after(wall, again=again)
        return self._walk(hour, last, again=again)

    def _walk(self, wall: datetime, last: datetime, *, again: bool) -> datetime | None:
        """Go on from a wall time, it included, in the first or the second walk through its hour."""
        while (reached := self._first_hour(wall, last)) is not None:
            wall, again = reached, again and reached == wall
            found = self._within_the_hour(wall)
            if found is None:
                wall, again = self._hour_after(wall, again=again)
                continue
            at = instant(found, self._zone)
            if wall_time(at, self._zone).hour == found.hour:
                return at + again * _HOUR
            wall = _full(found) + _HOUR
        return None

    def _first_hour(self, wall: datetime, last: datetime) -> datetime | None:
        """Give the first matching hour from a wall time on: that time itself, or where a later hour begins."""
        while (day := self._first_day(wall, last)) is not None:
            place = bisect_left(self._hours, day.hour)
            if place == len(self._hours):
                wall = self._day_after(day)
            elif self._hours[place] == day.hour:
                return day
            else:
                return _midnight(day).replace(hour=self._hours[place])
        return None

    def _first_day(self, wall: datetime, last: datetime) -> datetime | None:
        """Give the first matching day from a wall time on: that time itself, or where a later day begins."""
        while wall <= last:
            if not self._has(wall.year):
                wall = datetime(wall.year + 1, 1, 1)  # noqa: DTZ001 - a wall time
            elif wall.month not in self._months:
                wall = self._month_after(wall)
            elif wall.day in self._days_of(wall) and self._has_weekday(wall):
                return wall
            else:
                wall = self._day_after(wall)
        return None

    def _within_the_hour(self, wall: datetime) -> datetime | None:
        """Give the first match from a wall time on, in its hour."""
        minute, second = bisect_left(self._minutes, wall.minute), 0
        if wall.minute in self._minutes:
            second = bisect_left(self._seconds, wall.second)
            if second == len(self._seconds):
                minute, second = minute + 1, 0
        if minute == len(self._minutes):
            return None
        return wall.replace(minute=self._minutes[minute], second=self._seconds[second])

    def _hour_after(self, wall: datetime, *, again: bool) -> tuple[datetime, bool]:
        """Go on to the next hour, or once more through this one if the next is more than an hour away."""
        this, following = _full(wall), _full(wall) + _HOUR
        if not again and instant(following, self._zone) - instant(this, self._zone) > _HOUR:
            return this, True
        return following, False

    def _day_after(self, wall: datetime) -> datetime:
        """Go on to the next day of this month that may match, or to the next month."""
        days = self._days_of(wall)
        place = bisect_right(days, wall.day)
        return _midnight(wall).replace(day=days[place]) if place < len(days) else self._month_after(wall)

    def _days_of(self, wall: datetime) -> list[int]:
        """Give the days of a month whose weekday, or the one before it, is the calendar's."""
        first, length = month = monthrange(wall.year, wall.month)
        if month not in self._days_by_month:
            self._days_by_month[month] = [
                day
                for day in self._days
                if day <= length
                and not {(first + day) % _WEEK, (first + day - 1) % _WEEK}.isdisjoint(self._weekdays)
            ]
        return self._days_by_month[month]

    def _month_after(self, wall: datetime) -> datetime:
        """Go on to the next of the calendar's months in this year, or to the next year."""
        place = bisect_right(self._months, wall.month)
        if place < len(self._months):
            return datetime(wall.year, self._months[place], 1)  # noqa: DTZ001 - a wall time
        return datetime(wall.year + 1, 1, 1)  # noqa: DTZ001 - a wall time

    def _has_weekday(self, wall: datetime) -> bool:
        """Look at the server's weekday, which is the one before in the hour that a midnight change leaves out."""
        return (
            len(self._weekdays) == _WEEK
            or wall_time(instant(wall, self._zone), self._zone).isoweekday() % _WEEK in self._weekdays
        )

    def _has(self, year: int) -> bool:
        return not self._years or year in self._years


class Firings:
    """All times of a timing, one after the other, as the server takes them."""

    def __init__(self, timing: Timing) -> None:
        zone = ZoneInfo(timing.zone)
        self._timing = timing
        self._matchers = [Matcher(calendar, zone) for calendar in timing.calendars]

    def begin(self, after: datetime) -> datetime:
        """Give the time from which the search goes on, whatever aware time somebody asks for."""
        bounded = max(BEGINNING, min(after, _END))
        if self._timing.start_at is not None:
            bounded = max(bounded, self._timing.start_at - _SECOND)
        return bounded.astimezone(UTC).replace(microsecond=0)

    def next(self, after: datetime) -> datetime | None:
        """Give the first time after an aware one, in UTC; None: none before the year 2101."""
        after = self.begin(after)
        if after >= _END:
            return None
        end = self._timing.end_at
        first = min((_next(interval, after) for interval in self._timing.intervals), default=None)
        for matcher in self._matchers:
            found = matcher.next(after, min(first or _END, end or _END))
            if found is not None and (first is None or found < first):
                first = found
        return None if first is None or (end is not None and first > end) else first


def _next(interval: Interval, after: datetime) -> datetime:
    """Give an interval's first time after one."""
    passed = (after - EPOCH - interval.offset) // interval.every
    return EPOCH + interval.offset + (passed + 1) * interval.every


def _numbers(spans: Sequence[Span]) -> list[int]:
    """Give all numbers of the spans, each once, upwards."""
    return sorted({number for span in spans for number in span.numbers()})


def _full(wall: datetime) -> datetime:
    """Give where its hour began."""
    return wall.replace(minute=0, second=0)


def _midnight(wall: datetime) -> datetime:
    """Give where its day began."""
    return wall.replace(hour=0, minute=0, second=0)
