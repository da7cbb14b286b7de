from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.counted import counted
from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules import cron
from xnovu_poller.rules.matcher import Matcher, is_existing, to_instant, to_wall_time
from xnovu_poller.rules.preview import MOST_MISSED, Mark, PreviewTime, find_next_firing, list_next
from xnovu_poller.rules.timing import MOST_PARTS, Timing, read_timing

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "America/Santiago")


def predict(expression: str, zone: str, after: str, count: int) -> list[str]:
    """Return the predicted times: wall time, offset or none, UTC or none, mark."""
    read = read_timing(RuleTrigger.CRON, {"cron": expression, "timezone": zone})
    return [spell(time) for time in list_next(read, datetime.fromisoformat(f"{after}T00:00:00Z"), count)]


def spell(time: PreviewTime) -> str:
    """Write a time as the cases below do."""
    if time.at is None:
        return f"{time.local:%d %H:%M} {time.mark}"
    return f"{time.local:%d %H:%M%z} {time.at:%d %H:%MZ} {time.mark}".strip()


def test_a_time_that_does_not_exist_is_skipped() -> None:
    """It is listed between the others, and is not counted."""
    assert predict("30 2 * * *", "Europe/Berlin", "2027-03-27", 2) == [
        "27 02:30+0100 27 01:30Z",
        "28 02:30 skipped",
        "29 02:30+0200 29 00:30Z",
    ]


def test_a_time_that_occurs_twice_fires_twice_in_new_york() -> None:
    """West of Greenwich the server fires at both copies."""
    assert predict("30 1 * * *", "America/New_York", "2027-11-07", 3) == [
        "07 01:30-0400 07 05:30Z first of two",
        "07 01:30-0500 07 06:30Z second of two",
        "08 01:30-0500 08 06:30Z",
    ]


def test_a_time_that_occurs_twice_fires_once_in_berlin() -> None:
    """East of Greenwich the server fires at the second copy only."""
    assert predict("30 2 * * *", "Europe/Berlin", "2027-10-30", 3) == [
        "30 02:30+0200 30 00:30Z",
        "31 02:30+0100 31 01:30Z second of two",
        "01 02:30+0100 01 01:30Z",
    ]


def test_a_rule_of_the_hour_before_the_change_fires_again_in_berlin() -> None:
    """01:30 occurs once, but its rule fires twice."""
    assert predict("30 1 * * *", "Europe/Berlin", "2027-10-30", 3) == [
        "31 01:30+0200 30 23:30Z",
        "31 02:30+0200 31 00:30Z moved",
        "01 01:30+0100 01 00:30Z",
    ]


def test_a_rule_of_minutes_loses_firings_in_berlin() -> None:
    """Temporal walks the wrong hour twice; the lost firings are listed."""
    after = datetime(2027, 10, 30, 22, 59, tzinfo=UTC)
    read = read_timing(RuleTrigger.CRON, {"cron": "*/20 * * * *", "timezone": "Europe/Berlin"})

    assert [spell(time) for time in list_next(read, after, 7)] == [
        "31 01:00+0200 30 23:00Z",
        "31 01:20+0200 30 23:20Z",
        "31 01:40+0200 30 23:40Z",
        "31 02:00+0200 31 00:00Z first of two",
        "31 02:20+0100 31 01:20Z second of two",
        "31 02:40 passed over",
        "31 03:00 passed over",
        "31 03:20 passed over",
        "31 03:40+0100 31 02:40Z",
        "31 04:00+0100 31 03:00Z",
    ]


def test_an_interval_does_not_depend_on_the_wall_clock() -> None:
    """It fires through a clock change."""
    read = read_timing(RuleTrigger.CRON, {"interval": {"every": "20m"}, "timezone": "Europe/Berlin"})

    times = list_next(read, datetime(2027, 10, 30, 23, 59, tzinfo=UTC), 7)

    assert [spell(time) for time in times] == [
        "31 02:00+0200 31 00:00Z first of two",
        "31 02:20+0200 31 00:20Z first of two",
        "31 02:40+0200 31 00:40Z first of two",
        "31 02:00+0100 31 01:00Z second of two",
        "31 02:20+0100 31 01:20Z second of two",
        "31 02:40+0100 31 01:40Z second of two",
        "31 03:00+0100 31 02:00Z",
    ]


def test_an_interval_may_hide_a_doubled_time() -> None:
    """Temporal continues from the wall time of the previous firing, and the first 02:45 is past 02:30."""
    read = read_timing(
        RuleTrigger.CRON,
        {"cron": "30 2 * * *", "interval": {"every": "30m", "offset": "15m"}, "timezone": "Europe/Berlin"},
    )

    assert [spell(time) for time in list_next(read, datetime(2027, 10, 31, tzinfo=UTC), 4)] == [
        "31 02:15+0200 31 00:15Z first of two",
        "31 02:30 passed over",
        "31 02:45+0200 31 00:45Z first of two",
        "31 02:15+0100 31 01:15Z second of two",
        "31 02:30 passed over",
        "31 02:45+0100 31 01:45Z second of two",
    ]


def test_a_midnight_change_moves_a_weekday_in_santiago() -> None:
    """Where the change skips midnight, Temporal takes the day for the day before."""
    assert predict("0 12 * * SUN", "America/Santiago", "2027-09-01", 1) == [
        "05 12:00 passed over",
        "12 12:00-0300 12 15:00Z",
    ]
    assert predict("0 12 * * SAT", "America/Santiago", "2027-09-01", 3) == [
        "04 12:00-0400 04 16:00Z",
        "05 12:00-0300 05 15:00Z moved",
        "11 12:00-0300 11 15:00Z",
    ]


def test_a_skipped_half_hour_moves_a_firing() -> None:
    """Temporal checks only the hour, and 02:45 has the right hour."""
    assert predict("15 2 * * *", "Australia/Lord_Howe", "2027-10-02", 2) == [
        "03 02:15 skipped",
        "03 02:45+1100 02 15:45Z moved",
        "04 02:15+1100 03 15:15Z",
    ]


def test_a_rule_of_seconds_does_not_fill_pages() -> None:
    """Of the skipped hour only the first times are listed."""
    times = list_next(
        read_timing(RuleTrigger.CRON, {"cron": "* * * * * *", "timezone": "Europe/Berlin"}),
        datetime(2027, 3, 28, 0, 59, 58, tzinfo=UTC),
        2,
    )

    assert [time.mark for time in times] == [Mark.NONE, *[Mark.SKIPPED] * MOST_MISSED, Mark.NONE]


def test_the_next_firing_is_not_a_skipped_time() -> None:
    """02:30 does not exist in Berlin on 28 March 2027."""
    read = read_timing(RuleTrigger.CRON, {"cron": "30 2 * * *", "timezone": "Europe/Berlin"})

    assert find_next_firing(read, datetime(2027, 3, 27, 2, tzinfo=UTC)) == datetime(
        2027, 3, 29, 0, 30, tzinfo=UTC
    )


def test_nothing_fires_after_the_end() -> None:
    """The list is shorter than the requested count."""
    read = read_timing(RuleTrigger.CRON, {"cron": "@daily", "end_at": "2027-01-02T00:00:00Z"})

    assert len(list_next(read, datetime(2026, 12, 31, tzinfo=UTC), 9)) == 2
    assert find_next_firing(read, datetime(2027, 1, 2, tzinfo=UTC)) is None
    assert list_next(read, datetime(2026, 12, 31, tzinfo=UTC), 0) == []


def test_the_costliest_rules_are_searched_quickly() -> None:
    """Count the reads of the zone, the costliest part: a reconciliation searches for thousands of rules."""
    sunday = {"month": 3, "day_of_month": "8-14", "day_of_week": "SUN", "hour": 2, "year": "2000-2040"}
    rare = [{**sunday, "minute": minute} for minute in range(MOST_PARTS - 1)]
    with counted(to_instant) as looks:
        for other in (
            {"calendar": [*rare, {**sunday, "second": 1}]},
            {"calendar": rare, "interval": {"every": "1d"}},
        ):
            read = read_timing(
                RuleTrigger.CRON, {**other, "timezone": "America/New_York", "end_at": "2100-01-01T00:00:00Z"}
            )
            find_next_firing(read, datetime(2008, 1, 1, tzinfo=UTC))
            list_next(read, datetime(2008, 1, 1, tzinfo=UTC), 20)

    assert 0 < looks[0] < 15_000


def test_rare_days_over_decades_are_predicted() -> None:
    """A leap day is a Monday every 28 years."""
    times = predict("0 0 29 2 MON", "UTC", "2027-01-01", 3)

    assert times == ["29 00:00+0000 29 00:00Z"] * 2
    assert len(predict("0 0 1 1 *", "Europe/Berlin", "2027-01-01", 100)) == 73


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=100)
@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.sets(st.integers(0, 4), min_size=1, max_size=4),
    month=st.integers(1, 12),
    offset=st.integers(0, 31 * 86_400),
)
def test_predicted_times_have_the_right_marks(
    zone: str, minutes: set[int], hours: set[int], month: int, offset: int
) -> None:
    """Firings are in order; the rule has each time that is not moved; a skipped time does not exist."""
    texts = (",".join(map(str, numbers)) for numbers in (minutes, hours))
    calendar = cron.read_calendar("cron", f"{' '.join(texts)} * * *")
    read = Timing((calendar,), zone=zone, shown_in=zone)
    after = datetime(2027, month, 1, tzinfo=UTC) + timedelta(seconds=offset)

    times = list_next(read, after, 12)

    fires = [time for time in times if time.at]
    assert len(fires) == 12
    assert all(first.at and second.at and after < first.at < second.at for first, second in pairwise(fires))
    for time in times:
        assert time.local.tzinfo is not None
        shown = to_wall_time(time.at, time.local.tzinfo) if time.at else time.local.replace(tzinfo=None)
        assert Matcher(calendar, UTC).matches(shown) is (time.mark is not Mark.MOVED)
        assert is_existing(shown, time.local.tzinfo) is (time.mark is not Mark.SKIPPED)
        assert (time.at is None) is (time.mark in {Mark.SKIPPED, Mark.PASSED_OVER})
