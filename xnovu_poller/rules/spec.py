"""The times of a rule once they have been read and checked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FIRST_YEAR = 2000
LAST_YEAR = 2100
"""Temporal looks for times only within these years. Source: Temporal, `StructuredCalendarSpec`."""


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers from first to last, both included, in steps."""

    first: int
    last: int
    step: int = 1

    @property
    def numbers(self) -> range:
        """All the numbers, upwards."""
        return range(self.first, self.last + 1, self.step)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The wall times that lie in the spans of every field.

    Attributes:
        day_of_week: Sunday is 0.
        year: empty for any year.
    """

    second: tuple[Span, ...]
    minute: tuple[Span, ...]
    hour: tuple[Span, ...]
    day_of_month: tuple[Span, ...]
    month: tuple[Span, ...]
    day_of_week: tuple[Span, ...]
    year: tuple[Span, ...] = ()


DEFAULT_CATCHUP = timedelta(minutes=1)
"""The default of a rule's `catchup`: how late a firing may come after Temporal was away."""


class Overlap(StrEnum):
    """What a firing does while the previous firing still runs. Source: Temporal, "Overlap Policy"."""

    SKIP = "SKIP"
    BUFFER_ONE = "BUFFER_ONE"
    BUFFER_ALL = "BUFFER_ALL"
    CANCEL_OTHER = "CANCEL_OTHER"
    TERMINATE_OTHER = "TERMINATE_OTHER"
    ALLOW_ALL = "ALLOW_ALL"


@dataclass(frozen=True, slots=True)
class Interval:
    """A fixed interval, counted from the start of 1970 in UTC plus the offset: clock changes do not move it."""

    every: timedelta
    offset: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a rule fires: at the times of its calendars and of its intervals, together.

    Attributes:
        zone: the IANA zone of the calendars' wall times.
        jitter: Temporal delays each firing by a random time of up to this length.
        start_at: the rule does not fire before; UTC, whole seconds.
        end_at: the rule does not fire after; UTC, whole seconds.
        catchup: how late a firing may come; later firings are dropped.
        at: the only time of a SCHEDULE rule, UTC, whole seconds; its calendar is the same time, in zone "UTC".
        shown_in: the zone in which commands show the times.
    """

    calendars: tuple[Calendar, ...]
    intervals: tuple[Interval, ...] = ()
    zone: str = "UTC"
    jitter: timedelta = timedelta(0)
    start_at: datetime | None = None
    end_at: datetime | None = None
    overlap: Overlap = Overlap.SKIP
    catchup: timedelta = DEFAULT_CATCHUP
    at: datetime | None = None
    shown_in: str = "UTC"
