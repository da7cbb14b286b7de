"""Find the times of a calendar exactly as Temporal's server does, including its faults around clock changes.

The server walks wall times, not instants. Where a wall time occurs twice or never, these rules decide:

- A wall time becomes an instant by reading the zone's offset twice (`to_instant`): of the two copies of an hour,
  zones west of Greenwich get the first, Greenwich and zones east of it the second.
- The walk skips an hour that does not exist.
- If the next full hour is more than one hour ahead, the walk goes through this hour again, an hour later: so 01:30
  in New York fires twice.
- A walk that starts in the second copy of an hour (the wall clock had the same hour an hour ago) adds an hour to what
  it finds within that hour.

In Greenwich and east of it the last two rules hit the wrong hours: in the night of the autumn change, a daily rule
of the hour before fires again an hour later, and a rule that fires several times an hour loses firings. We predict
what happens, not what should happen.

Source: the server's own answers, compared in tests/integration/rules/test_preview.py.
"""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from xnovu_poller.rules.spec import FIRST_YEAR, LAST_YEAR, Calendar, Interval, Span, Timing

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Intervals are counted from here."""

BEGINNING = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
"""One second before the first that Temporal knows."""

_END = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
_LAST_WALL = datetime(LAST_YEAR, 12, 31, 23, 59, 59)  # noqa: DTZ001 - a wall time

_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_WEEK = 7


def to_instant(wall: datetime, zone: tzinfo) -> datetime:
    """Return the instant, in UTC, that the server takes a naive wall time for; it may occur twice or never."""
    as_if = wall.replace(tzinfo=UTC)
    near = as_if - _read_offset(as_if, zone)
    return as_if - _read_offset(near, zone)


def to_wall_time(at: datetime, zone: tzinfo) -> datetime:
    """Return the naive wall time of an instant."""
    return at.astimezone(zone).replace(tzinfo=None)


def is_existing(wall: datetime, zone: tzinfo) -> bool:
    """Return whether the zone's clocks ever show a naive wall time."""
    return to_wall_time(wall.replace(tzinfo=zone).astimezone(UTC), zone) == wall


def _read_offset(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


class Matcher:
    """One calendar in one zone."""

    def __init__(self, calendar: Calendar, zone: tzinfo) -> None:
        self._zone = zone
        self._seconds = _list_numbers(calendar.second)
        self._minutes = _list_numbers(calendar.minute)
        self._hours = _list_numbers(calendar.hour)
        self._days = _list_numbers(calendar.day_of_month)
        self._months = _list_numbers(calendar.month)
        self._weekdays = _list_numbers(calendar.day_of_week)
        self._years = _list_numbers(calendar.year)
        self._days_by_month: dict[tuple[int, int], list[int]] = {}

    def matches(self, wall: datetime) -> bool:
        """Return whether a wall time is one of the calendar's."""
        return (
            wall.second in self._seconds
            and wall.minute in self._minutes
            and wall.hour in self._hours
            and wall.day in self._days
            and wall.month in self._months
            and wall.isoweekday() % _WEEK in self._weekdays
            and self._has_year(wall.year)
        )

    def find_next(self, after: datetime, until: datetime = _END) -> datetime | None:
        """Return the calendar's first time after `after`; all times are in UTC and in whole seconds.

        Args:
            after: not included.
            until: the search stops here; a time later than this may still be returned.

        Returns:
            None if there is none until then, or none before the year 2101.
        """
        wall = to_wall_time(after, self._zone)
        # A wall time and its instant are less than a day apart.
        last = min(to_wall_time(until, self._zone) + _DAY, _LAST_WALL)
        again = to_wall_time(after - _HOUR, self._zone).hour == wall.hour
        if (wall + _SECOND).hour == wall.hour:
            return self._walk(wall + _SECOND, last, again=again)
        hour, again = self._step_hour(wall, again=again)
        return self._walk(hour, last, again=again)

    def _walk(self, wall: datetime, last: datetime, *, again: bool) -> datetime | None:
        """Return the first time from a wall time on; `again` is the second walk through its hour."""
        while (reached := self._find_hour(wall, last)) is not None:
            wall, again = reached, again and reached == wall
            found = self._find_in_hour(wall)
            if found is None:
                wall, again = self._step_hour(wall, again=again)
                continue
            at = to_instant(found, self._zone)
            if to_wall_time(at, self._zone).hour == found.hour:
                return at + again * _HOUR
            wall = _truncate_to_hour(found) + _HOUR
        return None

    def _find_hour(self, wall: datetime, last: datetime) -> datetime | None:
        """Return the wall time itself if its hour matches, else the start of the next hour that does."""
        while (day := self._find_day(wall, last)) is not None:
            index = bisect_left(self._hours, day.hour)
            if index == len(self._hours):
                wall = self._step_day(day)
            elif self._hours[index] == day.hour:
                return day
            else:
                return _truncate_to_day(day).replace(hour=self._hours[index])
        return None

    def _find_day(self, wall: datetime, last: datetime) -> datetime | None:
        """Return the wall time itself if its day matches, else the start of the next day that does."""
        while wall <= last:
            if not self._has_year(wall.year):
                wall = datetime(wall.year + 1, 1, 1)  # noqa: DTZ001 - a wall time
            elif wall.month not in self._months:
                wall = self._step_month(wall)
            elif wall.day in self._list_days(wall) and self._has_weekday(wall):
                return wall
            else:
                wall = self._step_day(wall)
        return None

    def _find_in_hour(self, wall: datetime) -> datetime | None:
        """Return the first match from a wall time on within its hour."""
        minute, second = bisect_left(self._minutes, wall.minute), 0
        if wall.minute in self._minutes:
            second = bisect_left(self._seconds, wall.second)
            if second == len(self._seconds):
                minute, second = minute + 1, 0
        if minute == len(self._minutes):
            return None
        return wall.replace(minute=self._minutes[minute], second=self._seconds[second])

    def _step_hour(self, wall: datetime, *, again: bool) -> tuple[datetime, bool]:
        """Return the next hour, or this hour once more if the next is more than an hour away."""
        this, following = _truncate_to_hour(wall), _truncate_to_hour(wall) + _HOUR
        if not again and to_instant(following, self._zone) - to_instant(this, self._zone) > _HOUR:
            return this, True
        return following, False

    def _step_day(self, wall: datetime) -> datetime:
        """Return the next day of this month that may match, else the next month."""
        days = self._list_days(wall)
        index = bisect_right(days, wall.day)
        return (
            _truncate_to_day(wall).replace(day=days[index]) if index < len(days) else self._step_month(wall)
        )

    def _list_days(self, wall: datetime) -> list[int]:
        """Return the days of a month that may match: their weekday, or the weekday before, is the calendar's."""
        first, length = month = monthrange(wall.year, wall.month)
        if month not in self._days_by_month:
            self._days_by_month[month] = [
                day
                for day in self._days
                if day <= length
                and not {(first + day) % _WEEK, (first + day - 1) % _WEEK}.isdisjoint(self._weekdays)
            ]
        return self._days_by_month[month]

    def _step_month(self, wall: datetime) -> datetime:
        """Return the calendar's next month in this year, else the next year."""
        index = bisect_right(self._months, wall.month)
        if index < len(self._months):
            return datetime(wall.year, self._months[index], 1)  # noqa: DTZ001 - a wall time
        return datetime(wall.year + 1, 1, 1)  # noqa: DTZ001 - a wall time

    def _has_weekday(self, wall: datetime) -> bool:
        """Check the weekday as the server sees it: where a clock change skips midnight, it is the day before."""
        return (
            len(self._weekdays) == _WEEK
            or to_wall_time(to_instant(wall, self._zone), self._zone).isoweekday() % _WEEK in self._weekdays
        )

    def _has_year(self, year: int) -> bool:
        return not self._years or year in self._years


class Firings:
    """The times at which a rule fires, as the server finds them."""

    def __init__(self, timing: Timing) -> None:
        zone = ZoneInfo(timing.zone)
        self._timing = timing
        self._matchers = [Matcher(calendar, zone) for calendar in timing.calendars]

    def clamp(self, after: datetime) -> datetime:
        """Return the whole second, within the bounds of Temporal and of the rule, after which to search."""
        bounded = max(BEGINNING, min(after, _END))
        if self._timing.start_at is not None:
            bounded = max(bounded, self._timing.start_at - _SECOND)
        return bounded.astimezone(UTC).replace(microsecond=0)

    def find_next(self, after: datetime) -> datetime | None:
        """Return the first time after an aware one, in UTC; None if there is none before the year 2101."""
        after = self.clamp(after)
        if after >= _END:
            return None
        end = self._timing.end_at
        first = min((_step_interval(interval, after) for interval in self._timing.intervals), default=None)
        for matcher in self._matchers:
            found = matcher.find_next(after, min(first or _END, end or _END))
            if found is not None and (first is None or found < first):
                first = found
        return None if first is None or (end is not None and first > end) else first


def _step_interval(interval: Interval, after: datetime) -> datetime:
    """Return an interval's first time after another time."""
    passed = (after - EPOCH - interval.offset) // interval.every
    return EPOCH + interval.offset + (passed + 1) * interval.every


def _list_numbers(spans: Sequence[Span]) -> list[int]:
    """Return the numbers of all spans, each once, upwards."""
    return sorted({number for span in spans for number in span.numbers})


def _truncate_to_hour(wall: datetime) -> datetime:
    return wall.replace(minute=0, second=0)


def _truncate_to_day(wall: datetime) -> datetime:
    return wall.replace(hour=0, minute=0, second=0)
