from datetime import UTC, datetime, timedelta

import pytest

from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules.density import count_hourly, find_change
from xnovu_poller.rules.timing import read_timing

AT = datetime(2030, 1, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("config", "hourly"),
    [
        ({"cron": "0 9 * * 1"}, 1),
        ({"cron": "15 * * * *"}, 1),
        ({"cron": "*/5 * * * *"}, 12),
        ({"cron": "* * * * *"}, 60),
        ({"cron": "1-3,2-4 9 * * *"}, 4),
        ({"cron": "* * * * * *"}, 3600),
        ({"cron": "*/5 * * * * *"}, 720),
        ({"cron": "* 0 9 1 1 *"}, 3600),
        ({"cron": "0,30 0 9 * * *"}, 120),
        ({"cron": ["0 9 * * *", "0 17 * * *"]}, 1),
        ({"cron": ["0 9 * * *", "30 9 * * *"]}, 2),
        ({"cron": ["0 0 9 * * *", "30 0 9 * * *"]}, 120),
        ({"cron": [f"{second} 0 9 * * *" for second in range(20)]}, 1200),
        ({"interval": {"every": "1s"}}, 3600),
        ({"interval": {"every": "7s"}}, 515),
        ({"interval": {"every": "90m"}}, 1),
        ({"cron": "* * * * * *", "interval": {"every": "1s"}}, 3600),
        ({"calendar": {"day_of_month": "last", "hour": 9}}, 1),
    ],
)
def test_a_rule_counts_for_its_firings_in_its_busiest_hour_or_minute(
    config: dict[str, object], hourly: int
) -> None:
    """Several seconds count as if each minute had them; no rule fires more than once a second."""
    assert count_hourly(read_timing(RuleTrigger.CRON, config), AT) == hourly


def test_a_rule_that_fires_once_counts_for_an_hour_of_minutes_when_its_time_is_near() -> None:
    """So no more of them than firings a minute may have the same time; it no longer counts when it is done."""
    timing = read_timing(RuleTrigger.SCHEDULE, {"at": "2030-01-01T09:00:00Z"})
    hour, second = timedelta(hours=1), timedelta(seconds=1)

    assert [count_hourly(timing, now) for now in (AT - hour - second, AT - hour, AT, AT + hour)] == [
        1,
        60,
        60,
        60,
    ]
    assert (find_change(AT, AT - 2 * hour), find_change(AT, AT - hour)) == (AT - hour, AT)
