import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xnovu_poller.rules import cron
from xnovu_poller.rules.matcher import BEGINNING, Firings, Matcher, is_existing, to_instant, to_wall_time
from xnovu_poller.rules.spec import Interval, Span, Timing

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    """Read a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str) -> datetime:
    """Read a wall time."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "shown", "expected"),
    [
        (BERLIN, "2027-07-01 12:00", "2027-07-01 10:00"),
        (BERLIN, "2027-10-31 01:30", "2027-10-30 23:30"),
        (BERLIN, "2027-10-31 02:30", "2027-10-31 01:30"),
        (BERLIN, "2027-03-28 02:30", "2027-03-28 01:30"),
        (NEW_YORK, "2027-11-07 01:30", "2027-11-07 05:30"),
        (NEW_YORK, "2027-03-14 02:30", "2027-03-14 06:30"),
        (ZoneInfo("Europe/London"), "2027-10-31 01:30", "2027-10-31 01:30"),
    ],
)
def test_a_wall_time_becomes_an_instant_as_the_server_takes_it(
    zone: ZoneInfo, shown: str, expected: str
) -> None:
    """Of two copies, the west gets the first and the east the second; a skipped time becomes a neighbour."""
    assert to_instant(wall(shown), zone) == at(expected)


def test_a_wall_time_may_not_exist() -> None:
    """Exactly the seconds of the skipped hour do not exist."""
    assert is_existing(wall("2027-03-28 01:59:59"), BERLIN)
    assert not is_existing(wall("2027-03-28 02:00:00"), BERLIN)
    assert not is_existing(wall("2027-03-28 02:59:59"), BERLIN)
    assert is_existing(wall("2027-03-28 03:00:00"), BERLIN)


@settings(max_examples=100)
@given(
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=3),
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    seconds=st.sets(st.integers(0, 59), min_size=1, max_size=2),
    days=st.sets(st.integers(1, 31), min_size=1, max_size=31),
    weekdays=st.sets(st.integers(0, 6), min_size=1, max_size=7),
    offset=st.integers(0, 86_399),
)
def test_where_no_clock_changes_each_matching_time_is_found(
    hours: set[int], minutes: set[int], seconds: set[int], days: set[int], weekdays: set[int], offset: int
) -> None:
    """The times equal those of a plain walk through all days of three months."""
    texts = (seconds, minutes, hours, days, range(1, 13), weekdays)
    calendar = cron.read_calendar("cron", " ".join(",".join(map(str, numbers)) for numbers in texts))
    after = datetime(2027, 1, 30, tzinfo=UTC) + timedelta(seconds=offset)
    until = after + timedelta(days=90)

    matching = [
        day.replace(hour=hour, minute=minute, second=second)
        for day in (datetime(2027, 1, 30, tzinfo=UTC) + timedelta(days=each) for each in range(91))
        if day.day in days and day.isoweekday() % 7 in weekdays
        for hour, minute, second in itertools.product(sorted(hours), sorted(minutes), sorted(seconds))
    ]

    assert found(Timing((calendar,)), after, until) == [time for time in matching if after < time <= until]


def found(timing: Timing, after: datetime, until: datetime) -> list[datetime]:
    """Return all times of a timing up to a time."""
    firings, times = Firings(timing), list[datetime]()
    while (following := firings.find_next(after)) is not None and following <= until:
        times.append(following)
        after = following
    return times


def of(expression: str, zone: str = "UTC") -> Timing:
    """Return the timing of an expression."""
    return Timing((cron.read_calendar("cron", expression),), zone=zone)


def test_day_of_month_and_day_of_week_must_both_match() -> None:
    """The rule fires on Friday the 13th, not on each Friday and each 13th."""
    times = found(of("0 9 13 * FRI"), at("2026-01-01"), at("2027-12-31"))

    assert [f"{time:%a %Y-%m-%d}" for time in times] == [
        "Fri 2026-02-13",
        "Fri 2026-03-13",
        "Fri 2026-11-13",
        "Fri 2027-08-13",
    ]


def test_the_next_leap_day_is_found() -> None:
    """The year 2100 has none."""
    assert Firings(of("0 0 29 2 *")).find_next(at("2028-02-29")) == at("2032-02-29")
    assert Firings(of("0 0 29 2 *")).find_next(at("2096-02-29")) is None


def test_a_day_that_never_comes_ends_the_search() -> None:
    """The search stops at the last year that Temporal knows."""
    assert Firings(of("0 0 30 2 *")).find_next(BEGINNING) is None


def test_the_earliest_of_several_calendars_and_intervals_is_next() -> None:
    """A time that two of them have comes once."""
    timing = Timing(
        (*of("0 */6 * * *").calendars, *of("0 6,7 * * *").calendars),
        (Interval(timedelta(hours=9), timedelta(hours=1)),),
    )

    # 1970-01-01T01:00Z and 9 hours each time: 2027-01-01T07:00Z, which is in the calendar too.
    assert [f"{time:%H:%M}" for time in found(timing, at("2027-01-01"), at("2027-01-01 23:59"))] == [
        "06:00",
        "07:00",
        "12:00",
        "16:00",
        "18:00",
    ]


def test_start_and_end_are_included() -> None:
    """Both count to the second."""
    timing = Timing(of("0 9 * * *").calendars, start_at=at("2027-01-02 09:00"), end_at=at("2027-01-04 09:00"))

    assert [time.day for time in found(timing, at("2026-12-01"), at("2028-01-01"))] == [2, 3, 4]


@pytest.mark.parametrize("zone", [UTC, NEW_YORK, ZoneInfo("Asia/Shanghai")])
def test_a_search_may_start_at_any_aware_time(zone: tzinfo) -> None:
    """A time outside the years that Temporal knows counts as the nearest of them."""
    firings = Firings(of("0 0 * * *"))

    assert firings.find_next(datetime(1, 1, 1, tzinfo=zone)) == at("2000-01-01")
    assert firings.find_next(datetime(9999, 12, 31, 23, 59, 59, tzinfo=zone)) is None


def test_a_fraction_of_a_second_does_not_count() -> None:
    """The current second has passed."""
    assert Firings(of("* * * * * *")).find_next(at("2027-01-01 00:00:00.9")) == at("2027-01-01 00:00:01")


def test_a_calendar_of_one_far_year_is_found() -> None:
    """A past calendar is not."""
    once = replace(cron.read_calendar("cron", "0 0 1 1 *"), year=(Span(2099, 2099),))

    assert Firings(Timing((once,))).find_next(at("2027-01-01")) == at("2099-01-01")
    assert Firings(Timing((once,))).find_next(at("2099-01-01")) is None


def test_a_wall_time_matches_if_all_fields_do() -> None:
    """A wrong day or second is enough to miss."""
    matcher = Matcher(cron.read_calendar("cron", "0 30 2 * * SUN"), BERLIN)

    assert matcher.matches(wall("2027-03-28 02:30"))
    assert not matcher.matches(wall("2027-03-27 02:30"))
    assert not matcher.matches(wall("2027-03-28 02:30:01"))


def test_a_wall_time_is_naive_and_in_its_zone() -> None:
    """Berlin is two hours ahead of UTC in summer."""
    assert to_wall_time(at("2027-07-01 10:00"), BERLIN) == wall("2027-07-01 12:00")
