from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules import cron
from xnovu_poller.rules.preview import list_next
from xnovu_poller.rules.timing import LONGEST_CACHED, Calendar, Interval, Overlap, Span, Timing, read_timing

NINE = {"cron": "0 9 * * *"}


def refusal(trigger: RuleTrigger, config: Any) -> tuple[str, str]:  # noqa: ANN401 - any JSON
    """Return the path and the reason of a refusal."""
    with pytest.raises(RuleInvalid) as caught:
        read_timing(trigger, config)
    return caught.value.path, caught.value.reason


def test_a_cron_rule_has_its_defaults() -> None:
    """They are UTC, no jitter, one firing at a time, and a minute to catch up."""
    assert read_timing(RuleTrigger.CRON, NINE) == Timing(
        calendars=(cron.read_calendar("cron", "0 9 * * *"),),
        zone="UTC",
        jitter=timedelta(0),
        overlap=Overlap.SKIP,
        catchup=timedelta(minutes=1),
    )


def test_a_cron_rule_may_have_every_key() -> None:
    """It may have several expressions, calendars and intervals."""
    read = read_timing(
        RuleTrigger.CRON,
        {
            "cron": ["0 9 * * *", "@hourly"],
            "calendar": {"hour": "9-17", "day_of_week": "MON-FRI", "year": 2027, "comment": "office hours"},
            "interval": [{"every": "1h30m", "offset": 600}, {"every": 45}],
            "timezone": "Asia/Shanghai",
            "jitter": "5m",
            "start_at": "2027-01-01T00:00:00",
            "end_at": "2027-12-31T23:59:59.9+08:00",
            "overlap": "buffer_one",
            "catchup": "1h",
        },
    )

    assert read == Timing(
        calendars=(
            cron.read_calendar("cron", "0 9 * * *"),
            cron.read_calendar("cron", "0 * * * *"),
            Calendar(
                second=(Span(0, 0),),
                minute=(Span(0, 0),),
                hour=(Span(9, 17),),
                day_of_month=(Span(1, 31),),
                month=(Span(1, 12),),
                day_of_week=(Span(1, 5),),
                year=(Span(2027, 2027),),
            ),
        ),
        intervals=(
            Interval(timedelta(minutes=90), timedelta(minutes=10)),
            Interval(timedelta(seconds=45), timedelta(0)),
        ),
        zone="Asia/Shanghai",
        jitter=timedelta(minutes=5),
        start_at=datetime(2026, 12, 31, 16, tzinfo=UTC),
        end_at=datetime(2027, 12, 31, 15, 59, 59, tzinfo=UTC),
        overlap=Overlap.BUFFER_ONE,
        catchup=timedelta(hours=1),
        shown_in="Asia/Shanghai",
    )


def test_null_counts_as_absent() -> None:
    """Some writers write all keys."""
    assert read_timing(RuleTrigger.CRON, {**NINE, "jitter": None, "interval": None}) == read_timing(
        RuleTrigger.CRON, NINE
    )


def test_a_schedule_rule_is_one_second_in_utc() -> None:
    """A fraction is rounded up; commands show the time in the rule's zone."""
    read = read_timing(RuleTrigger.SCHEDULE, {"at": "2027-10-31T02:30:00.5", "timezone": "Europe/Berlin"})

    at = datetime(2027, 10, 31, 0, 30, 1, tzinfo=UTC)
    assert (read.at, read.zone, read.shown_in) == (at, "UTC", "Europe/Berlin")
    assert [
        (time.at, f"{time.local:%H:%M:%S}") for time in list_next(read, datetime(2026, 1, 1, tzinfo=UTC), 9)
    ] == [(at, "02:30:01")]


@pytest.mark.parametrize(
    ("config", "path", "instead"),
    [
        ({}, "trigger_config", '"cron", "calendar" or "interval"'),
        ({"timezone": "UTC"}, "trigger_config", '"cron", "calendar" or "interval"'),
        ({"cron": None}, "trigger_config", '"cron", "calendar" or "interval"'),
        (None, "trigger_config", "write an object"),
        ([NINE], "trigger_config", "write an object"),
        ({**NINE, "enabled": True}, "'enabled'", "publish_status or deactivated"),
        ({**NINE, "timeZone": "UTC"}, "'timeZone'", "write timezone"),
        ({**NINE, "at": "2027-01-01T00:00:00Z"}, "'at'", "for trigger_type SCHEDULE"),
        ({**NINE, "x" * 10_000: 1}, f"'{'x' * 40}…'", "write one of cron, "),
        ({"cron": 9}, "cron", "write a text"),
        ({"cron": []}, "cron", "write 1 to 32"),
        ({"cron": ["@daily"] * 33}, "cron", "write 1 to 32"),
        (
            {"cron": ["@daily"] * 16, "calendar": [{"hour": 9}] * 16, "interval": {"every": 60}},
            "trigger_config",
            "write 32",
        ),
        ({"cron": ["@daily", "@every 5m"]}, "cron[1]", '"interval"'),
        ({"cron": [["@daily"]]}, "cron[0]", "write a text"),
        ({"cron": "0 25 * * *"}, "cron: hour", "0 to 23"),
        ({"cron": "0 0 30 2 *"}, "cron", "never fires"),
        ({"cron": ["@daily", "0 0 31 4,6,9,11 *"]}, "cron[1]", "never fires"),
        ({"calendar": {"hour": 9, "day": 1}}, "calendar.'day'", "day_of_month, month, day_of_week"),
        ({"calendar": {"hour": True}}, "calendar.hour", "write a number"),
        ({"calendar": [{"hour": 9}, {"hour": 24}]}, "calendar[1].hour", "0 to 23"),
        ({"calendar": {"year": 1999}}, "calendar.year", "2000 to 2100"),
        ({"calendar": {}}, "calendar", "is empty"),
        ({"calendar": {"comment": "x"}}, "calendar", "is empty"),
        ({"calendar": {"hour": 9, "comment": 1}}, "calendar.comment", "write a text"),
        ({"calendar": "0 9 * * *"}, "calendar", "write an object"),
        ({"interval": "15m"}, "interval", '{"every": "15m"}'),
        ({"interval": {}}, "interval.every", "is missing"),
        ({"interval": {"every": 0}}, "interval.every", "1s to 366d"),
        ({"interval": {"every": "15m", "offset": "15m"}}, "interval.offset", "0s to 899s"),
        ({"interval": {"every": "15m", "phase": 1}}, "interval.'phase'", "write one of every, offset"),
        ({**NINE, "timezone": "Europe/Berln"}, "timezone", '"Europe/Berlin"'),
        ({**NINE, "jitter": "25h"}, "jitter", "0s to 1d"),
        ({**NINE, "catchup": 9}, "catchup", "10s to 366d"),
        ({**NINE, "overlap": "PARALLEL"}, "overlap", "BUFFER_ONE"),
        ({**NINE, "overlap": 1}, "overlap", "BUFFER_ONE"),
        ({**NINE, "start_at": "2027-01-01T09:00:00"}, "start_at", '"timezone" beside it'),
        (
            {**NINE, "start_at": "2027-01-02T00:00:00Z", "end_at": "2027-01-01T00:00:00Z"},
            "end_at",
            "is before start_at",
        ),
        (
            {**NINE, "start_at": "2027-01-01T09:00:01Z", "end_at": "2027-01-02T08:59:59Z"},
            "trigger_config",
            "never fires from start_at to end_at",
        ),
        (
            {
                "calendar": {"hour": 2, "minute": 30, "month": 3, "day_of_month": 28, "year": 2027},
                "timezone": "Europe/Berlin",
            },
            "calendar",
            "never fires in Europe/Berlin",
        ),
    ],
)
def test_a_wrong_cron_rule_is_refused(config: object, path: str, instead: str) -> None:
    """The refusal names the place and what to write instead."""
    found, reason = refusal(RuleTrigger.CRON, config)

    assert found == path
    assert instead in reason


@pytest.mark.parametrize(
    ("config", "path", "instead"),
    [
        ({}, "at", "is missing"),
        ({"at": "2027-01-01"}, "at", "ISO 8601"),
        ({"at": "2027-01-01T09:00:00"}, "at", "write its offset"),
        ({"at": "2027-03-28T02:30:00", "timezone": "Europe/Berlin"}, "at", "does not exist"),
        ({"at": "2027-01-01T09:00:00Z", "cron": "@daily"}, "'cron'", "for trigger_type CRON"),
        ({"at": "2027-01-01T09:00:00Z", "catchup": 1}, "catchup", "10s"),
    ],
)
def test_a_wrong_schedule_rule_is_refused(config: object, path: str, instead: str) -> None:
    """It has one time only."""
    found, reason = refusal(RuleTrigger.SCHEDULE, config)

    assert found == path
    assert instead in reason


NEVER_NOW = {"month": 3, "day_of_month": "8-14", "day_of_week": "SUN", "hour": 2, "minute": 30}
"""In New York this time has not existed since 2007."""


@pytest.mark.parametrize("year", ["*", "2000-2100", "2000-2099"])
def test_a_rule_that_will_never_fire_again_is_refused(year: str) -> None:
    """Otherwise each reconciliation would search a century for it."""
    config = {"calendar": {**NEVER_NOW, "year": year}, "timezone": "America/New_York"}

    assert "never fires in America/New_York" in refusal(RuleTrigger.CRON, config)[1]


@pytest.mark.parametrize("day", ["SUN", "WED"])
def test_a_rule_that_fires_every_28_years_is_valid(day: str) -> None:
    """It fires on a leap day of one weekday. A rule for a past year is valid too."""
    new_york = {"calendar": {**NEVER_NOW, "year": 2005}, "timezone": "America/New_York"}

    assert read_timing(RuleTrigger.CRON, {"cron": f"0 0 29 2 {day}"}).calendars
    assert read_timing(RuleTrigger.CRON, new_york).calendars


def test_the_same_config_is_read_once_and_refused_each_time() -> None:
    """The order of its keys does not matter; a long config is not kept."""
    first = read_timing(RuleTrigger.CRON, {"timezone": "UTC", "cron": "7 7 * * *"})
    assert read_timing(RuleTrigger.CRON, {"cron": "7 7 * * *", "timezone": "UTC"}) is first
    assert refusal(RuleTrigger.CRON, {"cron": "x"}) == refusal(RuleTrigger.CRON, {"cron": "x"})
    assert refusal(RuleTrigger.SCHEDULE, NINE)[0] == "'cron'"

    long = {"cron": "7 7 * * *", "calendar": {"hour": 9, "comment": "x" * LONGEST_CACHED}}
    assert read_timing(RuleTrigger.CRON, long) is not read_timing(RuleTrigger.CRON, long)
    assert read_timing(RuleTrigger.CRON, long) == read_timing(RuleTrigger.CRON, long)


def test_an_event_rule_is_refused() -> None:
    """Its config does not matter."""
    assert refusal(RuleTrigger.EVENT, NINE)[0] == "trigger_type"


@pytest.mark.parametrize(
    ("trigger", "config"),
    [
        (RuleTrigger.CRON, {**NINE, "end_at": "2020-01-01T00:00:00Z"}),
        (RuleTrigger.CRON, {"calendar": {"year": 2020}}),
        (RuleTrigger.SCHEDULE, {"at": "2020-01-01T00:00:00Z"}),
    ],
)
def test_a_rule_that_has_ended_is_valid(trigger: RuleTrigger, config: dict[str, object]) -> None:
    """A rule does not become invalid with time."""
    assert list_next(read_timing(trigger, config), datetime(2026, 1, 1, tzinfo=UTC), 1) == []


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _mostly(*valid: object) -> st.SearchStrategy[object]:
    """Draw valid values, and sometimes any JSON."""
    return st.sampled_from(valid) | _json


_config = st.fixed_dictionaries(
    {},
    optional={
        "cron": _mostly("30 2 * * *", "@daily", ["*/7 * * * * *"]),
        "calendar": st.fixed_dictionaries({"hour": _mostly(2, "1-3"), "year": _mostly(2027, "*")}) | _json,
        "interval": st.fixed_dictionaries({"every": _mostly("90m", 7)}, optional={"offset": _mostly(5)})
        | _json,
        "at": _mostly("2027-01-01T00:00:00Z"),
        "timezone": _mostly("Europe/Berlin"),
        "jitter": _mostly("5m"),
        "start_at": _mostly("2027-01-01T00:00:00Z"),
        "end_at": _mostly("2027-12-01T00:00:00"),
        "overlap": _mostly("skip"),
        "catchup": _mostly(60),
    },
)


@settings(max_examples=100)
@given(trigger=st.sampled_from(RuleTrigger), config=_config | _json)
def test_any_config_is_read_or_refused(trigger: RuleTrigger, config: Any) -> None:  # noqa: ANN401 - JSON
    """No other error is raised, and a rule that was read fires at some time."""
    try:
        read = read_timing(trigger, config)
    except RuleInvalid:
        return
    assert list_next(read, datetime(1990, 1, 1, tzinfo=UTC), 1)


def _deep(depth: int, wrap: Callable[[object], object]) -> object:
    """Nest a value."""
    value: object = 1
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "key", ["cron", "calendar", "interval", "timezone", "jitter", "start_at", "overlap", "x"]
)
def test_deep_and_large_values_are_refused(key: str) -> None:
    """The sentence does not repeat them."""
    deep = (_deep(10_000, lambda value: [value]), _deep(10_000, lambda value: {"a": value}))
    for value in (*deep, 10**5000, ["x"] * 10_000, "9," * 10_000):
        assert len(refusal(RuleTrigger.CRON, {**NINE, key: value})[1]) < 300
