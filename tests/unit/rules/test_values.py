from datetime import UTC, datetime, timedelta

import pytest

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.rules.values import quote, read_duration, read_time, suggest

NONE = timedelta(0)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("value", "seconds"), [(0, 0), (90, 90), ("90s", 90), ("15m", 900), ("1h30m", 5400), (" 1D ", 86400)]
)
def test_a_duration_is_read(value: object, seconds: int) -> None:
    """A number is seconds; a text names its units, largest first."""
    assert read_duration("jitter", value, NONE, DAY) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    ["", "90", "1.5h", "m", "30m1h", "-5s", "\u0661s", 1.5, 90.0, True, None, [], float("nan"), "9" * 99],
)
def test_anything_but_a_duration_is_refused(value: object) -> None:
    """The sentence shows how to write a duration."""
    with pytest.raises(RuleInvalid, match="1h30m"):
        read_duration("jitter", value, NONE, DAY)


@pytest.mark.parametrize(
    "value",
    [
        -1,
        86401,
        pytest.param(10**5000, id="huge"),
        pytest.param(-(10**5000), id="far below"),
        "25h",
        "9999d",
        "999999h999999m999999999s",
    ],
)
def test_a_duration_has_its_bounds(value: object) -> None:
    """A number may be huge."""
    with pytest.raises(RuleInvalid, match="is out of bounds; write 0s to 1d"):
        read_duration("jitter", value, NONE, DAY)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2027-01-31T09:00:00+01:00", datetime(2027, 1, 31, 8, tzinfo=UTC)),
        ("2027-01-31T09:00Z", datetime(2027, 1, 31, 9, tzinfo=UTC)),
        ("2027-01-31 09:00:00z", datetime(2027, 1, 31, 9, tzinfo=UTC)),
        ("2027-01-31T09:00:00-0330", datetime(2027, 1, 31, 12, 30, tzinfo=UTC)),
        ("2027-01-31 09:00:00+00", datetime(2027, 1, 31, 9, tzinfo=UTC)),
        ("2027-01-31 09:00:00.25+05:30", datetime(2027, 1, 31, 3, 30, 1, tzinfo=UTC)),
        ("2027-01-31 09:00:00-03", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31 09:00+0530", datetime(2027, 1, 31, 3, 30, tzinfo=UTC)),
        ("2027-01-31T09:00:00", datetime(2027, 1, 31, 8, tzinfo=UTC)),
        ("2027-10-31T02:30:00", datetime(2027, 10, 31, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_read(value: str, expected: datetime) -> None:
    """PostgreSQL's own text of a time is read; without an offset it is a wall time of the zone, the first of two."""
    assert read_time("at", value, "Europe/Berlin", up=True) == expected


@pytest.mark.parametrize(("up", "second"), [(True, 1), (False, 0)])
def test_a_fraction_of_a_second_is_rounded(up: bool, second: int) -> None:  # noqa: FBT001 - a case of the table
    """A start is never too early, and an end is never too late."""
    for fraction in (".000000001", ",5"):
        read = read_time("at", f"2027-01-31T09:00:00{fraction}Z", None, up=up)
        assert read == datetime(2027, 1, 31, 9, 0, second, tzinfo=UTC)
    assert read_time("at", "2027-01-31T09:00:00.000Z", None, up=up).second == 0


@pytest.mark.parametrize(
    ("value", "instead"),
    [
        ("2027-01-31", "ISO 8601"),
        ("20270131T090000Z", "ISO 8601"),
        ("tomorrow", "ISO 8601"),
        (1_800_000_000, "ISO 8601"),
        (None, "ISO 8601"),
        ("\u0662027-01-31T09:00:00Z", "ISO 8601"),
        ("2027-02-30T09:00:00Z", "no such day"),
        ("2027-01-31T24:00:00Z", "no such day"),
        ("2027-01-31T09:00:00+99:99", "no such day"),
        ("0001-01-01T00:00:00+01:00", "2000 to 2100"),
        ("9999-12-31T23:59:59-01:00", "2000 to 2100"),
        ("2100-12-31T23:59:59.5Z", "2000 to 2100"),
        ("2000-01-01T00:00:00+01:00", "2000 to 2100"),
        ("2027-03-28T02:30:00", "does not exist in Europe/Berlin"),
    ],
)
def test_anything_but_an_existing_time_is_refused(value: object, instead: str) -> None:
    """The sentence names what to write."""
    with pytest.raises(RuleInvalid, match=instead):
        read_time("at", value, "Europe/Berlin", up=True)


def test_a_wall_time_needs_a_zone() -> None:
    """Nine o'clock is not the same instant everywhere."""
    with pytest.raises(RuleInvalid, match="write its offset"):
        read_time("at", "2027-01-31T09:00:00", None, up=True)


def test_a_quoted_word_is_short_and_printable() -> None:
    """Our sentences reach logs and rows."""
    assert quote("a\0b\ud800") == r"'a\x00b\ud800'"
    assert len(quote("x" * 10_000)) < 50


def test_a_misspelt_word_gets_a_suggestion() -> None:
    """If no word is close, all words are suggested."""
    assert suggest("TimeZone", ["timezone", "cron"]) == "timezone"
    assert suggest("x" * 10_000, ["timezone", "cron"]) == "one of timezone, cron"
