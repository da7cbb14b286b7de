"""What rules' times look like once they are read: nothing in here can be misspelt any more."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FIRST_YEAR = 2000
LAST_YEAR = 2100
"""Between these Temporal looks for times. Source: Temporal, `StructuredCalendarSpec`."""


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers from the first to the last, both included, a step apart."""

    first: int
    last: int
    step: int = 1

    def numbers(self) -> range:
        """Give them one by one."""
        return range(self.first, self.last + 1, self.step)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The wall times whose every field lies in one of its spans.

    Attributes:
        day_of_week: Sunday is 0.
        year: none: any.
    """

    second: tuple[Span, ...]
    minute: tuple[Span, ...]
    hour: tuple[Span, ...]
    day_of_month: tuple[Span, ...]
    month: tuple[Span, ...]
    day_of_week: tuple[Span, ...]
    year: tuple[Span, ...] = ()


CATCHUP = timedelta(minutes=1)
"""How late a firing may come, after Temporal was away, if the rule does not say."""


class Overlap(StrEnum):
    """What a firing does while the one before still runs. Source: Temporal, "Overlap Policy"."""

    SKIP = "SKIP"
    BUFFER_ONE = "BUFFER_ONE"
    BUFFER_ALL = "BUFFER_ALL"
    CANCEL_OTHER = "CANCEL_OTHER"
    TERMINATE_OTHER = "TERMINATE_OTHER"
    ALLOW_ALL = "ALLOW_ALL"


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so often, counted from the start of 1970 in UTC, plus the offset: no clock change moves it."""

    every: timedelta
    offset: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a rule fires: at the times of its calendars and of its intervals, together.

    Attributes:
        zone: the IANA zone whose wall times the calendars speak of.
        jitter: each firing comes up to so much later, drawn by Temporal.
        start_at: none before, this one included; UTC, whole seconds.
        end_at: none after, this one included; UTC, whole seconds.
        catchup: how late a firing may come; later ones are dropped.
        at: the only time of a SCHEDULE rule, UTC, whole seconds; its calendar says the same, in zone "UTC".
        shown_in: the zone in which people read it.
    """

    calendars: tuple[Calendar, ...]
    intervals: tuple[Interval, ...] = ()
    zone: str = "UTC"
    jitter: timedelta = timedelta(0)
    start_at: datetime | None = None
    end_at: datetime | None = None
    overlap: Overlap = Overlap.SKIP
    catchup: timedelta = CATCHUP
    at: datetime | None = None
    shown_in: str = "UTC"
