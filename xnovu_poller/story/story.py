"""The story as data: a program prints it as JSON, and a command as text."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any


class Source(StrEnum):
    """The system that knows a line of the story."""

    POSTGRESQL = "PostgreSQL"
    TEMPORAL = "Temporal"
    NOVU = "Novu"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the story.

    Attributes:
        at: when it happened; None if the source does not know it.
        worker: the process that did it, if it is known.
    """

    at: datetime | None
    source: Source
    text: str
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """What comes next, and when; `at` is None if it has no time of its own."""

    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """The story of a notification.

    Texts may contain what a tenant wrote: escape them before a terminal or a page shows them.

    Attributes:
        cause: why it is in its state, in a sentence.
        lines: oldest first; a line without a time stands at the end.
        unknown: what could not be found out, and why; a sentence for each source.
        temporal_url: the run in Temporal's web interface; None if it has none, or the address is not known.
    """

    id: int
    enterprise_id: str
    workflow_key: str | None
    status: str
    attempt: int
    cause: str
    lines: list[Line]
    next: Next
    unknown: list[str]
    transaction_id: str
    run_id: str | None
    temporal_url: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the story as JSON has it; times are ISO 8601 with their offset."""
        return {
            **asdict(self),
            "lines": [{**asdict(line), "at": line.at and line.at.isoformat()} for line in self.lines],
            "next": {"text": self.next.text, "at": self.next.at and self.next.at.isoformat()},
        }


def format_moment(at: datetime | None) -> str:
    """Return a time as people read it, in UTC and to the second."""
    return "an unknown time" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def format_span(span: timedelta) -> str:
    """Return a duration as people read it: 0.4 s, 12 s, 5 min, 3 h, 2 days."""
    seconds = max(0.0, span.total_seconds())
    for most, size, unit in ((10, 1, "s"), (120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < most:
            return f"{seconds / size:.{1 if most == 10 else 0}f} {unit}"  # noqa: PLR2004 - below ten seconds, a tenth counts
    return f"{seconds / 86_400:.0f} days"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: 1 call, 2 calls."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
