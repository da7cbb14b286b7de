from typing import Any

import pytest

from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules.advice import advise


@pytest.mark.parametrize(
    ("cron", "warning"),
    [
        ("0 0 31 * *", "no day 31 in February, April, June, September, November"),
        ("0 0 15,30 * *", "no day 30 in February;"),
        ("0 0 29 * *", "only in leap years"),
        ("0 0 29 2 *", "only in leap years"),
        ("0 0 30-31 * *", "no day 30 in February"),
        (
            "*/45 * * * *",
            'begins again with each hour: 0, 45; for equal gaps write "interval": {"every": "45m"}',
        ),
        ("10/25 * * * *", "begins again with each hour: 10, 35"),
        ("*/7 * * * * *", "begins again with each minute: 0, 7, 14, 21, …"),
        ("0 */5 * * *", '"every": "5h"'),
        ("0 0 */2 * *", '"every": "2d"'),
        ("0 0 1 */5 *", "begins again with each year: 1, 6, 11"),
        ("0 0 * * */2", "begins again with each week"),
    ],
)
def test_a_time_that_may_not_be_meant_is_named(cron: str, warning: str) -> None:
    """The rule fires as written; the warning names what fires otherwise."""
    (found,) = advise(RuleTrigger.CRON, {"cron": cron})

    assert found.where.startswith("cron: ")
    assert warning in found.reason


@pytest.mark.parametrize(
    "cron",
    [
        *("0 9 * * 1-5", "*/15 * * * *", "7/15 * * * *", "20/2 * * * *", "0-50/20 * * * *", "0 0 28-31 * *"),
        *("0 0 31 1,3 *", "0 0 * * *", "0 */6 * * *", "0 0 1 */3 *", "0 9 13 * 5", "0 0 30 2 *", "nonsense"),
    ],
)
def test_an_ordinary_time_has_no_warning(cron: str) -> None:
    """Nor has a time that is refused: its fault is enough."""
    assert advise(RuleTrigger.CRON, {"cron": cron}) == []


@pytest.mark.parametrize(
    ("config", "wheres"),
    [
        ({"calendar": {"day_of_month": 31, "minute": "*/45"}}, ["day_of_month", "minute"]),
        ({"calendar": [{"hour": 9}, {"day_of_month": 31}]}, ["calendar[1].day_of_month"]),
        ({"calendar": {"day_of_month": "last", "day_of_week": "FRI#5"}, "cron": None}, []),
        ({"cron": "@daily", "timezone": "Etc/GMT+8"}, ["timezone"]),
    ],
)
def test_calendars_and_zones_are_advised_too(config: dict[str, Any], wheres: list[str]) -> None:
    """A last day and an nth weekday are explicit."""
    found = sorted(each.where for each in advise(RuleTrigger.CRON, config))

    assert len(found) == len(wheres)
    assert all(where in each for where, each in zip(wheres, found, strict=True))


def test_a_one_time_rule_is_advised_about_its_zone() -> None:
    """It has no other doubts."""
    config = {"at": "2030-01-31T09:00:00", "timezone": "Etc/GMT-8"}

    assert "eight hours ahead of UTC" in advise(RuleTrigger.SCHEDULE, config)[0].reason
