"""Reads single values of a rule's JSON: how long, when, and in which zone."""

import difflib
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.rules.matcher import exists
from xnovu_poller.rules.spec import FIRST_YEAR, LAST_YEAR

_SHOWN = 40
_SECOND = timedelta(seconds=1)

_DURATION = re.compile(r"(?:([0-9]{1,4})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,9})s)?")
_MOST_SECONDS = 10**9

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,]([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.IGNORECASE,
)

_OF_THE_HOST = frozenset({"localtime", "Factory"})
"""They stand among the zones' files, and say something else on each machine, or nothing."""


def shown(text: str) -> str:
    """Quote what somebody wrote, short and printable."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def nearest(text: str, known: list[str]) -> str:
    """Name the known word that somebody may have meant, or all of them."""
    near = difflib.get_close_matches(text[:_SHOWN].lower(), known, n=1)
    return near[0] if near else "one of " + ", ".join(known)


def duration(path: str, value: object, least: timedelta, most: timedelta) -> timedelta:
    """Read how long: whole seconds as a number, or "90s", "15m", "1h30m", "2d".

    Raises:
        RuleInvalid: it cannot be read, or lies out of its bounds.
    """
    found = _seconds(value)
    if found is None:
        raise RuleInvalid(
            path, 'write whole seconds as a number, or a text such as "90s", "15m", "1h30m" or "2d"'
        )
    if not least <= found <= most:
        raise RuleInvalid(path, f"write {_spelt(least)} to {_spelt(most)}")
    return found


def _seconds(value: object) -> timedelta | None:
    """Read how long, whatever its bounds; None: it cannot be read."""
    if isinstance(value, int) and not isinstance(value, bool):
        return timedelta(seconds=max(-1, min(value, _MOST_SECONDS)))
    found = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (int(text or 0) for text in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _spelt(length: timedelta) -> str:
    """Spell a length in its largest unit that leaves nothing over."""
    seconds = length // _SECOND
    size, unit = next(
        (size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if not seconds % size
    )
    return f"{seconds // size}{unit}" if seconds else "0s"


def moment(path: str, value: object, zone: str | None, *, up: bool) -> datetime:
    """Read an ISO 8601 time; one without an offset is a wall time of the zone, the first if it happens twice.

    Args:
        path: where it stands.
        value: what stands there.
        zone: IANA; None: the rule names none, so an offset is needed.
        up: round a fraction of a second up; else down.

    Returns:
        UTC, whole seconds.

    Raises:
        RuleInvalid: it cannot be read, names no instant, or lies out of the years that Temporal knows.
    """
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise RuleInvalid(path, 'write an ISO 8601 time with its offset, such as "2027-01-31T09:00:00+01:00"')
    day, clock, fraction, offset = found.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper()}")
    except ValueError:
        raise RuleInvalid(path, "there is no such day or time; write one of the calendar") from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise RuleInvalid(path, f"write a year from {FIRST_YEAR} to {LAST_YEAR}")
    if at.tzinfo is None:
        at = _placed(path, at, zone)
    at = at.astimezone(UTC) + (_SECOND if up and int(fraction or 0) else timedelta(0))
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise RuleInvalid(path, f"write a year from {FIRST_YEAR} to {LAST_YEAR} in UTC")
    return at


def _placed(path: str, wall: datetime, zone: str | None) -> datetime:
    """Give the instant of a wall time, the first of two."""
    if zone is None:
        raise RuleInvalid(path, 'write its offset, such as +01:00 or Z, or "timezone" beside it')
    if not exists(wall, ZoneInfo(zone)):
        raise RuleInvalid(path, f"does not exist in {zone}, where the clocks go past it; write a later time")
    return wall.replace(tzinfo=ZoneInfo(zone))


def zone_name(path: str, value: object) -> str:
    """Read the name of an IANA time zone.

    Raises:
        RuleInvalid: there is none of this name.
    """
    if not isinstance(value, str):
        raise RuleInvalid(path, 'write the name of an IANA time zone, such as "Asia/Shanghai"')
    if value in _zones():
        return value
    near = {name.lower(): name for name in _zones()}
    meant = difflib.get_close_matches(value[:_SHOWN].lower(), near, n=1)
    instead = f'"{near[meant[0]]}"' if meant else 'an IANA name, such as "Asia/Shanghai" or "UTC"'
    raise RuleInvalid(path, f"no such time zone; write {instead}")


@cache
def _zones() -> frozenset[str]:
    """Give the names of all zones; a name that is none of them never becomes a path."""
    return frozenset(available_timezones()) - _OF_THE_HOST
