import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.rules import cron
from xnovu_poller.rules.spec import Calendar, Span


def numbers(spans: tuple[Span, ...]) -> set[int]:
    """Return all numbers of a field."""
    return {number for span in spans for number in span.numbers}


def refusal(expression: str) -> str:
    """Return the sentence that refuses an expression."""
    with pytest.raises(RuleInvalid) as caught:
        cron.read_calendar("cron", expression)
    return str(caught.value)


def test_five_fields_begin_with_the_minute() -> None:
    """The second is 0, and any year matches."""
    assert cron.read_calendar("cron", "30 9 1 2 3") == Calendar(
        second=(Span(0, 0),),
        minute=(Span(30, 30),),
        hour=(Span(9, 9),),
        day_of_month=(Span(1, 1),),
        month=(Span(2, 2),),
        day_of_week=(Span(3, 3),),
        year=(),
    )


def test_six_fields_begin_with_the_second() -> None:
    """Temporal's own six-field form ends with the year, which no other cron does."""
    read = cron.read_calendar("cron", "*/20 30 9 * * *")

    assert (numbers(read.second), numbers(read.minute), numbers(read.hour)) == ({0, 20, 40}, {30}, {9})


@pytest.mark.parametrize(
    ("nickname", "expression"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * SUN"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        (" @Hourly ", "0 * * * *"),
    ],
)
def test_a_nickname_stands_for_an_expression(nickname: str, expression: str) -> None:
    """They mean what they mean in every cron."""
    assert cron.read_calendar("cron", nickname) == cron.read_calendar("cron", expression)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("hour", "*", set(range(24))),
        ("hour", "9-17/4", {9, 13, 17}),
        ("hour", "20/2", {20, 22}),
        ("hour", "7,9-10, 7", {7, 9, 10}),
        ("minute", "*/40", {0, 40}),
        ("month", "jan-MAR,november", {1, 2, 3, 11}),
        ("month", "DEC", {12}),
        ("day_of_week", "*", set(range(7))),
        ("day_of_week", "Mon-Fri", {1, 2, 3, 4, 5}),
        ("day_of_week", "7", {0}),
        ("day_of_week", "5-7", {0, 5, 6}),
        ("day_of_week", "FRI-SUN", {0, 5, 6}),
        ("day_of_week", "0-7", set(range(7))),
        ("day_of_week", "1/2", {0, 1, 3, 5}),
        ("day_of_week", "*/7", {0}),
        ("day_of_week", "tuesday", {2}),
        ("year", "2027-2030/3", {2027, 2030}),
    ],
)
def test_a_field_is_read(name: str, text: str, expected: set[int]) -> None:
    """Numbers, names, ranges, steps and lists, in any case."""
    assert numbers(cron.read_spans("cron", name, text)) == expected


def test_a_field_may_be_a_number() -> None:
    """JSON has numbers; `true` is not one of them."""
    assert cron.read_spans("calendar.hour", "hour", 9) == (Span(9, 9),)
    others: list[object] = [True, -1, 10**5000, 9.0, float("nan"), None, [], {"a": 1}]
    for wrong in others:
        with pytest.raises(RuleInvalid):
            cron.read_spans("calendar.hour", "hour", wrong)


@pytest.mark.parametrize(
    ("expression", "instead"),
    [
        ("@every 15m", '"interval": {"every": "15m"}'),
        ("@reboot", "fires by the time"),
        ("@noon", "@daily"),
        ("CRON_TZ=Europe/Berlin 0 9 * * *", '"timezone"'),
        ("TZ=UTC 0 9 * * *", '"timezone"'),
        ("0 0 9 * * * 2027", '"year": 2027'),
        ("0 0 9 * * 2-6 *", 'weekday 1 is Sunday; write "0 0 9 * * MON-FRI"'),
        ("0 9 * *", "write 5"),
        ("", "write 5"),
        ("0 9 ? * MON", 'write "0 9 * * MON"'),
        ("0 9 * * MON#2", '"day_of_week": "MON#2"'),
        ("0 9 L * *", '"day_of_month": "last"'),
        ("0 9 * * 5L", '"day_of_month": "last"'),
        ("0 9 15W * *", "MON-FRI"),
        ("60 9 * * *", "0 to 59"),
        ("0 24 * * *", "0 to 23"),
        ("0 9 0 * *", "1 to 31"),
        ("0 9 * 13 *", "such as JAN"),
        ("0 9 * * 8", "such as SUN"),
        ("0 9 * * MONT", "such as SUN"),
        ("0 22-2 * * *", "write 22-23,0-2"),
        ("0 9 * * FRI-MON", "write 5-7,0-1"),
        ("*/0 * * * *", "write 1 to 59"),
        ("*/90 * * * *", '"interval"'),
        ("*-5 * * * *", "write * or a range"),
        ("1,,2 * * * *", "a list 1,3"),
        ("+1 * * * *", "0 to 59"),
        ("\u0661 * * * *", "write a number"),
        ("0 9 * * * " + " " * 2000, "write several expressions"),
    ],
)
def test_a_refusal_names_what_to_write_instead(expression: str, instead: str) -> None:
    """Users of another cron find our way in the sentence."""
    assert instead in refusal(expression)


@settings(max_examples=100)
@given(st.text(alphabet="0123456789*/-,?LW#@ MONJAFRIdy\u00df\u0131\n", max_size=30))
def test_any_text_is_read_or_refused(expression: str) -> None:
    """No other error is raised, and each number is in the bounds of its field."""
    try:
        read = cron.read_calendar("cron", expression)
    except RuleInvalid:
        return
    for name, known in cron.FIELDS.items():
        assert all(known.first <= number <= known.last for number in numbers(getattr(read, name)))
    assert 7 not in numbers(read.day_of_week)
