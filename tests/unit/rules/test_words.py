from typing import Any

import pytest

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules.words import describe_times


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 9 * * 1-5", "at 09:00, Monday to Friday"),
        ("30 8,17 * * *", "at 08:30 and 17:30"),
        ("5 0 9 * * *", "at 09:00:05"),
        ("*/15 * * * *", "every 15 minutes"),
        ("* * * * *", "every minute"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("0 * * * *", "every hour"),
        ("5 * * * *", "at minute 5"),
        ("*/20 9-17 * * 6,0", "every 20 minutes from 09:00 to 17:59, Saturday and Sunday"),
        ("0 */3 * * *", "at minute 0 of hours 00, 03, 06, 09, 12, 15, 18 and 21"),
        ("0 0 13 * 5", "at 00:00, Friday, on day 13 of the month"),
        ("0 6 1-7,15 1,6-8 *", "at 06:00, on days 1 to 7 and 15 of the month, in January and June to August"),
        ("@yearly", "at 00:00, on day 1 of the month, in January"),
    ],
)
def test_a_cron_expression_is_words(cron: str, words: str) -> None:
    """The zone follows."""
    config = {"cron": cron, "timezone": "Asia/Shanghai"}
    assert describe_times(RuleTrigger.CRON, config) == f"{words}, in Asia/Shanghai"


@pytest.mark.parametrize(
    ("trigger", "config", "words"),
    [
        (RuleTrigger.CRON, {"cron": ["0 9 * * *", "0 18 * * 5"]}, "at 09:00; and at 18:00, Friday, in UTC"),
        (RuleTrigger.CRON, {"interval": {"every": "1h30m", "offset": 60}}, "every 1 h 30 min, 1 min later"),
        (RuleTrigger.CRON, {"interval": {"every": "1d"}, "cron": None}, "every 1 day"),
        (
            RuleTrigger.CRON,
            {"calendar": {"hour": 9, "day_of_month": "1,last", "comment": "pay day"}},
            "at 09:00, on day 1 and the last day of the month, in UTC",
        ),
        (
            RuleTrigger.CRON,
            {"calendar": {"hour": 9, "day_of_week": "MON#2,last FRI"}},
            "at 09:00, on the second Monday and the last Friday of the month, in UTC",
        ),
        (
            RuleTrigger.CRON,
            {"calendar": {"day_of_month": 29, "month": "FEB", "year": "2028-2040/4"}},
            "at 00:00, on day 29 of the month, in February, in 2028, 2032, 2036 and 2040, in UTC",
        ),
        (
            RuleTrigger.SCHEDULE,
            {"at": "2027-01-31T09:00:00+01:00", "timezone": "Europe/Berlin"},
            "once, at 2027-01-31 09:00:00 in Europe/Berlin",
        ),
    ],
)
def test_other_times_are_words(trigger: RuleTrigger, config: dict[str, Any], words: str) -> None:
    """Calendars with last days and nth weekdays, intervals, and single times."""
    assert describe_times(trigger, config) == words


def test_a_rule_that_cannot_be_served_has_no_words() -> None:
    """The error names what to write instead."""
    with pytest.raises(RuleInvalid, match="fields"):
        describe_times(RuleTrigger.CRON, {"cron": "9 *"})
