"""Predict when a rule fires, and where a clock change removes, doubles or moves a firing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from xnovu_poller.rules.matcher import EPOCH, Firings, Matcher, is_existing, to_wall_time
from xnovu_poller.rules.spec import Timing

MOST_MISSED = 60
"""Between two firings: a skipped hour would fill pages for a rule that fires every second."""


class Mark(StrEnum):
    """What a clock change does to a time.

    NONE: nothing.
    FIRST, SECOND: the wall time occurs twice that day; this is the first or the second.
    SKIPPED: the rule has this wall time, but it does not exist that day; the rule does not fire.
    PASSED_OVER: the rule has this wall time, but Temporal does not fire at it.
    MOVED: Temporal fires, but the rule does not have this wall time.
    """

    NONE = ""
    FIRST = "first of two"
    SECOND = "second of two"
    SKIPPED = "skipped"
    PASSED_OVER = "passed over"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class PreviewTime:
    """A time at which a rule fires, or at which a clock change keeps it from firing.

    Attributes:
        at: when the rule fires, in UTC, without jitter; None if it does not fire.
        local: the wall time, with its zone.
        mark: what a clock change does to this time.
    """

    at: datetime | None
    local: datetime
    mark: Mark


def find_next_firing(timing: Timing, after: datetime) -> datetime | None:
    """Return the first time after an aware one at which a rule fires, in UTC; None if there is none."""
    return Firings(timing).find_next(after)


def list_next(timing: Timing, after: datetime, count: int) -> list[PreviewTime]:
    """Return the next times of a rule, as Temporal will fire it.

    Args:
        timing: of the rule.
        after: aware; not included.
        count: the most firings to return; times at which the rule does not fire are not counted.

    Returns:
        Firings and missed times in the order of time.
    """
    firings, walls = Firings(timing), _WallTimes(timing)
    times: list[PreviewTime] = []
    before = firings.clamp(after)
    for _ in range(count):
        at = firings.find_next(before)
        if at is None:
            break
        times += [*walls.find_missed(before, at), walls.mark(at)]
        before = at
    return times


class _WallTimes:
    """The wall times that a rule has, whether or not they exist."""

    def __init__(self, timing: Timing) -> None:
        self._intervals = timing.intervals
        self._zone = ZoneInfo(timing.zone)
        self._shown_in = ZoneInfo(timing.shown_in)
        # In UTC every wall time exists, and only once.
        self._matchers = [Matcher(calendar, UTC) for calendar in timing.calendars]

    def mark(self, at: datetime) -> PreviewTime:
        """Return a firing with its mark."""
        local = at.astimezone(self._shown_in)
        copies = {local.replace(fold=fold).utcoffset() for fold in (0, 1)}
        if not self._has_time(at):
            return PreviewTime(at, local, Mark.MOVED)
        if len(copies) == 1:
            return PreviewTime(at, local, Mark.NONE)
        return PreviewTime(at, local, Mark.SECOND if local.fold else Mark.FIRST)

    def find_missed(self, before: datetime, at: datetime) -> Iterator[PreviewTime]:
        """Find the wall times between two firings at which the rule should fire and does not."""
        copy = before.astimezone(self._zone).fold
        wall, end = (to_wall_time(time, self._zone).replace(tzinfo=UTC) for time in (before, at))
        for _ in range(MOST_MISSED):
            found = (matcher.find_next(wall, end) for matcher in self._matchers)
            wall = min((time for time in found if time is not None), default=end)
            if wall >= end:
                return
            mark = Mark.PASSED_OVER if is_existing(wall.replace(tzinfo=None), self._zone) else Mark.SKIPPED
            yield PreviewTime(None, wall.replace(tzinfo=self._zone, fold=copy), mark)

    def _has_time(self, at: datetime) -> bool:
        """Return whether the rule itself has the time of a firing."""
        wall = to_wall_time(at, self._zone)
        return any(matcher.matches(wall) for matcher in self._matchers) or any(
            not (at - EPOCH - interval.offset) % interval.every for interval in self._intervals
        )
