"""How often a rule fires where its firings are densest, so that those of many rules can be added up."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from xnovu_poller.rules.spec import Span, Timing

_MINUTES = 60
_HOUR = timedelta(hours=1)
_MOST = 3600
"""Temporal fires a rule at most once a second."""


def count_hourly(timing: Timing, now: datetime) -> int:
    """Return for how many firings an hour a rule counts, at least 1.

    The calendars of a rule count together: the minutes of an hour that they have, or, if they have several seconds, those
    in every minute. So a rule that fires every second of a single minute a day counts like a rule of every second, as its
    firings delay those of others in that minute, and a daily rule counts like an hourly rule.

    The time of a one-time rule counts like a firing of each minute once it is less than an hour away, because nothing
    spreads the times of many such rules over the hour.
    """
    if timing.at is not None:
        return 1 if find_change(timing.at, now) < timing.at else _MINUTES
    seconds = _count(span for calendar in timing.calendars for span in calendar.second)
    minutes = _count(span for calendar in timing.calendars for span in calendar.minute)
    calendars = seconds * _MINUTES if seconds > 1 else minutes
    intervals = sum(math.ceil(_HOUR / interval.every) for interval in timing.intervals)
    return min(calendars + intervals, _MOST)


def find_change(at: datetime, now: datetime) -> datetime:
    """Return when a one-time rule counts for more firings, or is over."""
    return at - _HOUR if now < at - _HOUR else at


def _count(spans: Iterable[Span]) -> int:
    return len({number for span in spans for number in span.numbers})
