"""Read single values of a rule's JSON: durations and times."""

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.rules.matcher import is_existing
from xnovu_poller.rules.spec import FIRST_YEAR, LAST_YEAR

CRON_KEYS = (
    "cron",
    "calendar",
    "interval",
    "timezone",
    "jitter",
    "start_at",
    "end_at",
    "overlap",
    "catchup",
)
"""The keys of a CRON rule."""

_QUOTED = 40
_SECOND = timedelta(seconds=1)

_DURATION = re.compile(r"(?:([0-9]{1,4})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,9})s)?")
_MOST_SECONDS = 10**9

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,]([0-9]{1,9}))?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.IGNORECASE,
)


def quote(text: str) -> str:
    """Quote a text of a rule: cut, and with nothing unprintable."""
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…")


def suggest(text: str, known: list[str]) -> str:
    """Return the known word that is closest to a misspelt word, or all of them if none is close."""
    near = difflib.get_close_matches(text[:_QUOTED].lower(), known, n=1)
    return near[0] if near else "one of " + ", ".join(known)


def read_duration(path: str, value: object, least: timedelta, most: timedelta) -> timedelta:
    """Read a duration: whole seconds as a number, or "90s", "15m", "1h30m", "2d".

    Raises:
        RuleInvalid: it cannot be read, or it is out of bounds.
    """
    found = _parse_duration(value)
    if found is None:
        raise RuleInvalid(
            path,
            'is not a duration; write whole seconds as a number, or a text such as "90s", "15m", "1h30m" or "2d"',
        )
    if not least <= found <= most:
        raise RuleInvalid(
            path, f"is out of bounds; write {_format_duration(least)} to {_format_duration(most)}"
        )
    return found


def _parse_duration(value: object) -> timedelta | None:
    """Read a duration without checking its bounds; return None if it cannot be read."""
    if isinstance(value, int) and not isinstance(value, bool):
        return timedelta(seconds=max(-1, min(value, _MOST_SECONDS)))
    found = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (int(text or 0) for text in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _format_duration(length: timedelta) -> str:
    """Write a duration in the largest unit that divides it."""
    seconds = length // _SECOND
    size, unit = next(
        (size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if not seconds % size
    )
    return f"{seconds // size}{unit}" if seconds else "0s"


def read_time(path: str, value: object, zone: str | None, *, up: bool) -> datetime:
    """Read an ISO 8601 time. Without an offset it is a wall time of the zone, the first if it occurs twice.

    Args:
        path: where in the rule the time is written; errors name it.
        value: as JSON has it.
        zone: the rule's IANA zone; None if it has none, so that the time needs an offset.
        up: round a fraction of a second up instead of down.

    Returns:
        In UTC, in whole seconds.

    Raises:
        RuleInvalid: the time cannot be read, does not exist, or lies outside the years that Temporal knows.
    """
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise RuleInvalid(
            path, 'is not a time; write an ISO 8601 time with its offset, such as "2027-01-31T09:00:00+01:00"'
        )
    day, clock, fraction, offset = found.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper()}")
    except ValueError:
        raise RuleInvalid(path, "there is no such day or time; write a day and a time that exist") from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise RuleInvalid(path, f"is out of bounds; write a year from {FIRST_YEAR} to {LAST_YEAR}")
    if at.tzinfo is None:
        at = _to_instant(path, at, zone)
    at = at.astimezone(UTC) + (_SECOND if up and int(fraction or 0) else timedelta(0))
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise RuleInvalid(path, f"is out of bounds; write a year from {FIRST_YEAR} to {LAST_YEAR} in UTC")
    return at


def _to_instant(path: str, wall: datetime, zone: str | None) -> datetime:
    """Return the instant of a wall time, the first if it occurs twice."""
    if zone is None:
        raise RuleInvalid(
            path, 'has no offset; write its offset, such as +01:00 or Z, or "timezone" beside it'
        )
    if not is_existing(wall, ZoneInfo(zone)):
        raise RuleInvalid(path, f"does not exist in {zone}, where the clocks skip it; write a later time")
    return wall.replace(tzinfo=ZoneInfo(zone))


def check_keys(path: str, config: Mapping[str, Any], known: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the config without nulls; refuse unknown keys, because their writer relies on them."""
    for key in config:
        if key not in known:
            raise RuleInvalid(f"{path}{quote(key)}", _explain_key(key, known))
    return {key: value for key, value in config.items() if value is not None}


def _explain_key(key: str, known: tuple[str, ...]) -> str:
    """Return what to write instead of an unknown key."""
    if key == "enabled":
        return "is not read; set publish_status or deactivated in the rule's row instead"
    if key in CRON_KEYS and "at" in known:
        return "is for trigger_type CRON; write at for a SCHEDULE rule"
    if key == "at":
        return "is for trigger_type SCHEDULE; write cron, calendar or interval for a CRON rule"
    return f"there is no such key; write {suggest(key, list(known))}"
