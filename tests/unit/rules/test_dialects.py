import pytest

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.rules import cron
from xnovu_poller.rules.dialects import recognise


@pytest.mark.parametrize(
    ("expression", "instead"),
    [
        ("0 0 9 ? * 2-6", "0 0 9 * * MON-FRI"),
        ("0 0 9 * * 2-6 *", "0 0 9 * * MON-FRI"),
        ("0 0 12 1/5 * ?", "0 0 12 1/5 * *"),
        ("0 9 ? * 1", "0 9 * * SUN"),
        ("0 18 * * ? *", "0 18 * * *"),
        ("0 18 ? * 2,4 *", "0 18 * * MON,WED"),
        ("cron(0 18 ? * MON-FRI *)", "0 18 * * MON-FRI"),
        ("0 9 * * 1-5 # weekdays", "0 9 * * 1-5"),
        ("0 9 * * mon - fri", "0 9 * * mon-fri"),
        ("0 9 1, 15 * *", "0 9 1,15 * *"),
        ("*/ 5 * * * *", "*/5 * * * *"),
    ],
)
def test_an_expression_of_another_program_is_translated(expression: str, instead: str) -> None:
    """The refusal has the whole expression that means the same here."""
    with pytest.raises(RuleInvalid) as caught:
        cron.read_calendar("cron", expression)

    assert caught.value.reason.endswith(f'write "{instead}"')
    assert cron.read_calendar("cron", instead).minute


@pytest.mark.parametrize(
    ("expression", "instead"),
    [
        ("0 0 9 L * ?", '"day_of_month": "last"'),
        ("0 0 9 ? * 6#3", "nth weekday"),
        ("0 0 9 ? * 6L", "SUN to SAT"),
        ("0 0 9 ? * 0", "SUN to SAT"),
        ("0 0 9 * * 2 2027", '"year": 2027'),
        ("cron(0 9 1 1 ? 2027)", '"year": 2027'),
        ("cron()", "SUN to SAT"),
        ("rate(5 minutes)", '"interval": {"every": "5m"}'),
        ("at(2027-01-01T00:00:00)", "SCHEDULE"),
        ("? ? ? ? ? ?", "SUN to SAT"),
        ("# nothing else", "write the fields only"),
    ],
)
def test_what_cron_cannot_say_is_explained(expression: str, instead: str) -> None:
    """An expression is suggested only if we can read it."""
    with pytest.raises(RuleInvalid) as caught:
        cron.read_calendar("cron", expression)

    assert instead in caught.value.reason


@pytest.mark.parametrize("expression", ["0 0 9 ? * 2-6", "0 0 9 * * 2 2027", "cron(0 18 * * ? *)"])
def test_the_numbers_of_weekdays_are_named(expression: str) -> None:
    """In Quartz and at AWS, 2-6 is Monday to Friday; here it is Tuesday to Saturday."""
    found = recognise(expression)

    assert found is not None
    assert "weekday 1 is Sunday" in found.reason


@pytest.mark.parametrize("expression", ["0 9 * * 1-5", "0 0 9 * * MON-FRI", "0 9 * * MON#2", "", "x"])
def test_other_expressions_are_left_to_cron(expression: str) -> None:
    """They are read, or refused field by field."""
    assert recognise(expression) is None
