"""Foretells when a rule fires, and where a clock change takes a firing away, doubles or moves it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from xnovu_poller.rules.matcher import EPOCH, Firings, Matcher, exists, wall_time
from xnovu_poller.rules.spec import Timing

MOST_MISSED = 60
"""Of one gap between two firings: a rule of every second would fill pages with an hour that is left out."""


class Mark(StrEnum):
    """What a clock change does to a time.

    NONE: nothing.
    FIRST, SECOND: this wall time happens twice that day; which of the two it is.
    SKIPPED: the rule names this wall time, and it does not exist that day; nothing fires.
    PASSED_OVER: the rule names this wall time, and Temporal does not fire at it.
    MOVED: Temporal fires, though the rule does not name this wall time.
    """

    NONE = ""
    FIRST = "first of two"
    SECOND = "second of two"
    SKIPPED = "skipped"
    PASSED_OVER = "passed over"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Coming:
    """A time that lies ahead.

    Attributes:
        at: when the rule fires, in UTC, without its jitter; None: it does not.
        local: what the clock on the wall shows, with its zone.
        mark: what a clock change does to it.
    """

    at: datetime | None
    local: datetime
    mark: Mark


def next_fire(timing: Timing, after: datetime) -> datetime | None:
    """Give the first time after an aware one at which a rule fires, in UTC; None: none lies ahead."""
    return Firings(timing).next(after)


def coming(timing: Timing, after: datetime, count: int) -> list[Coming]:
    """Give the next times of a rule, as Temporal will keep them.

    Args:
        timing: the rule's.
        after: aware; times after it.
        count: firings at most; what does not fire stands between them and is not counted.

    Returns:
        In the order of time.
    """
    firings, walls = Firings(timing), _Walls(timing)
    foretold: list[Coming] = []
    before = firings.begin(after)
    for _ in range(count):
        at = firings.next(before)
        if at is None:
            break
        foretold += [*walls.missed(before, at), walls.told(at)]
        before = at
    return foretold


class _Walls:
    """The wall times that a rule names, whether they exist or not."""

    def __init__(self, timing: Timing) -> None:
        self._intervals = timing.intervals
        self._zone = ZoneInfo(timing.zone)
        self._shown_in = ZoneInfo(timing.shown_in)
        # Read as UTC a wall time exists always, and once.
        self._matchers = [Matcher(calendar, UTC) for calendar in timing.calendars]

    def told(self, at: datetime) -> Coming:
        """Tell a firing."""
        local = at.astimezone(self._shown_in)
        copies = {local.replace(fold=fold).utcoffset() for fold in (0, 1)}
        if not self._named(at):
            return Coming(at, local, Mark.MOVED)
        if len(copies) == 1:
            return Coming(at, local, Mark.NONE)
        return Coming(at, local, Mark.SECOND if local.fold else Mark.FIRST)

    def missed(self, before: datetime, at: datetime) -> Iterator[Coming]:
        """Tell the wall times between two firings, which nothing fires at."""
        copy = before.astimezone(self._zone).fold
        wall, end = (wall_time(one, self._zone).replace(tzinfo=UTC) for one in (before, at))
        for _ in range(MOST_MISSED):
            found = (matcher.next(wall, end) for matcher in self._matchers)
            named = [one for one in found if one is not None]
            wall = min(named, default=end)
            if wall >= end:
                return
            mark = Mark.PASSED_OVER if exists(wall.replace(tzinfo=None), self._zone) else Mark.SKIPPED
            yield Coming(None, wall.replace(tzinfo=self._zone, fold=copy), mark)

    def _named(self, at: datetime) -> bool:
        """Say whether the rule names the time of a firing."""
        wall = wall_time(at, self._zone)
        return any(matcher.matches(wall) for matcher in self._matchers) or any(
            not (at - EPOCH - interval.offset) % interval.every for interval in self._intervals
        )
