"""Read and check the times in a rule's row, for the preview and for Temporal alike."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules import cron
from xnovu_poller.rules.calendars import read_calendars
from xnovu_poller.rules.matcher import BEGINNING, Firings
from xnovu_poller.rules.spec import (
    DEFAULT_CATCHUP,
    FIRST_YEAR,
    LAST_YEAR,
    Calendar,
    Interval,
    Overlap,
    Span,
    Timing,
)
from xnovu_poller.rules.values import CRON_KEYS, check_keys, read_duration, read_time
from xnovu_poller.rules.zones import read_zone

__all__ = ["Calendar", "Interval", "Overlap", "Span", "Timing", "list_parts", "read_timing"]

MOST_PARTS = 32
"""The most expressions, calendars and intervals of a rule, all together."""

MOST_CALENDARS = 64
"""The most calendars of a rule in Temporal: a last day needs four, an nth weekday one or four."""

CALENDAR_CYCLE_YEARS = 40
"""Within this time each day of each month falls on each weekday; a leap day takes 28 years."""

CACHED = 4096
"""Configs kept after reading: each reconciliation reads the same configs again."""

LONGEST_CACHED = 500
"""The most characters, as JSON, of a config that is kept; all of them together need at most some 50 MB."""

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_YEAR = 366 * _DAY
_LEAST_CATCHUP = timedelta(seconds=10)  # Temporal's minimum

_TIME_KEYS = ("cron", "calendar", "interval")
_SCHEDULE_KEYS = ("at", "timezone", "catchup")


def read_timing(trigger: RuleTrigger, config: Mapping[str, Any]) -> Timing:
    """Read when a rule fires. A key whose value is null counts as absent.

    A CRON rule has one or more of

    - `cron`: an expression or a list of them, see `cron`;
    - `calendar`: an object or a list of them. Its keys are the fields of `Calendar`, its values are written as in
      cron, and days also as `last`, `MON#2` or `FRI#last`. A missing second, minute or hour is 0; a missing date
      field is any. `comment` is for people;
    - `interval`: `{"every": "1h30m", "offset": "10m"}` or a list of them,

    and may have `timezone` (UTC), `jitter`, `start_at`, `end_at`, `overlap` (SKIP) and `catchup` (1 minute).
    A SCHEDULE rule has `at`, and may have `timezone` and `catchup`.

    Raises:
        RuleInvalid: the config cannot be served; the reason names what to write instead.
    """
    try:
        text = json.dumps(config, sort_keys=True)
    except (RecursionError, TypeError, ValueError):  # nested too deep, or not JSON
        return _read(trigger, config)
    if len(text) > LONGEST_CACHED:
        return _read(trigger, config)
    found = _read_cached(trigger, text)
    if isinstance(found, Timing):
        return found
    raise RuleInvalid(*found)


@lru_cache(maxsize=CACHED)
def _read_cached(trigger: RuleTrigger, text: str) -> Timing | tuple[str, str]:
    """Read a config; return a fault as path and reason, because an error that is raised repeatedly grows."""
    try:
        return _read(trigger, json.loads(text))
    except RuleInvalid as error:
        return error.path, error.reason


def _read(trigger: RuleTrigger, config: Mapping[str, Any]) -> Timing:
    if trigger == RuleTrigger.EVENT:
        raise RuleInvalid(
            "trigger_type",
            "EVENT is not supported; write CRON or SCHEDULE, or insert the notification in a trigger of your table",
        )
    if not isinstance(config, Mapping):
        raise RuleInvalid(
            "trigger_config", 'is not an object; write an object, such as {"cron": "0 9 * * 1-5"}'
        )
    if trigger == RuleTrigger.SCHEDULE:
        return _read_once(check_keys("", config, _SCHEDULE_KEYS))
    return _read_repeated(check_keys("", config, CRON_KEYS))


def _read_once(config: Mapping[str, Any]) -> Timing:
    """Read a SCHEDULE rule; its calendar is its one second in UTC, where no clock changes."""
    if "at" not in config:
        raise RuleInvalid("at", 'is missing; write {"at": "2027-01-31T09:00:00+01:00"}')
    zone = read_zone("timezone", config["timezone"]) if "timezone" in config else None
    at = read_time("at", config["at"], zone, up=True)
    parts = (at.second, at.minute, at.hour, at.day, at.month, at.isoweekday() % 7, at.year)
    return Timing(
        calendars=(Calendar(*((Span(number, number),) for number in parts)),),
        catchup=_read_length(config, "catchup", DEFAULT_CATCHUP, _LEAST_CATCHUP, _YEAR),
        at=at,
        shown_in=zone or "UTC",
    )


def _read_repeated(config: Mapping[str, Any]) -> Timing:
    if not any(key in config for key in _TIME_KEYS):
        raise RuleInvalid("trigger_config", 'has no time; write "cron", "calendar" or "interval"')
    if sum(len(list_parts(config, key)) for key in _TIME_KEYS) > MOST_PARTS:
        raise RuleInvalid(
            "trigger_config",
            f"has too many times; write {MOST_PARTS} at most, and the others in another rule",
        )
    zone = read_zone("timezone", config["timezone"]) if "timezone" in config else None
    read = Timing(
        calendars=tuple(_read_calendars(config, zone or "UTC")),
        intervals=tuple(_read_interval(path, value) for path, value in list_parts(config, "interval")),
        zone=zone or "UTC",
        jitter=_read_length(config, "jitter", timedelta(0), timedelta(0), _DAY),
        start_at=read_time("start_at", config["start_at"], zone, up=True) if "start_at" in config else None,
        end_at=read_time("end_at", config["end_at"], zone, up=False) if "end_at" in config else None,
        overlap=_read_overlap(config.get("overlap", Overlap.SKIP)),
        catchup=_read_length(config, "catchup", DEFAULT_CATCHUP, _LEAST_CATCHUP, _YEAR),
        shown_in=zone or "UTC",
    )
    if read.start_at and read.end_at and read.end_at < read.start_at:
        raise RuleInvalid("end_at", "is before start_at; write a later time")
    if (read.start_at or read.end_at) and Firings(read).find_next(BEGINNING) is None:
        raise RuleInvalid(
            "trigger_config", "never fires from start_at to end_at; leave more time between them"
        )
    return read


def _read_calendars(config: Mapping[str, Any], zone: str) -> Iterator[Calendar]:
    """Read expressions and calendars; each of them must fire at some time."""
    parts: list[tuple[str, tuple[Calendar, ...]]] = [
        *((path, (_read_cron(path, value),)) for path, value in list_parts(config, "cron")),
        *((path, read_calendars(path, value)) for path, value in list_parts(config, "calendar")),
    ]
    if sum(len(read) for _, read in parts) > MOST_CALENDARS:
        raise RuleInvalid("trigger_config", "has too many last days and nth weekdays; write several rules")
    for path, read in parts:
        fires = [calendar for calendar in read if _can_fire(calendar, zone)]
        if not fires:
            raise RuleInvalid(path, f"never fires in {zone}; write a day and a time that exist")
        yield from fires


def _can_fire(calendar: Calendar, zone: str) -> bool:
    """Return whether a calendar fires in the last years that it has; a search of all the years would take long."""
    last = max((span.numbers[-1] for span in calendar.year), default=LAST_YEAR)
    after = datetime(max(FIRST_YEAR, last - CALENDAR_CYCLE_YEARS), 1, 1, tzinfo=UTC) - _SECOND
    return Firings(Timing((calendar,), zone=zone)).find_next(after) is not None


def _read_cron(path: str, value: object) -> Calendar:
    if not isinstance(value, str):
        raise RuleInvalid(path, 'is not a text; write a text, such as "0 9 * * 1-5"')
    return cron.read_calendar(path, value)


def _read_interval(path: str, value: object) -> Interval:
    if not isinstance(value, Mapping):
        raise RuleInvalid(path, 'is not an object; write an object, such as {"every": "15m"}')
    given = check_keys(f"{path}.", value, ("every", "offset"))
    if "every" not in given:
        raise RuleInvalid(f"{path}.every", 'is missing; write a duration, such as "15m"')
    every = read_duration(f"{path}.every", given["every"], _SECOND, _YEAR)
    return Interval(
        every, read_duration(f"{path}.offset", given.get("offset", 0), timedelta(0), every - _SECOND)
    )


def _read_overlap(value: object) -> Overlap:
    name = value.strip().upper() if isinstance(value, str) else ""
    try:
        return Overlap(name)
    except ValueError:
        raise RuleInvalid("overlap", f"is not known; write one of {', '.join(Overlap)}") from None


def _read_length(
    config: Mapping[str, Any], key: str, default: timedelta, least: timedelta, most: timedelta
) -> timedelta:
    """Read a duration, or return its default if the key is absent."""
    return read_duration(key, config[key], least, most) if key in config else default


def list_parts(config: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    """Return the items of a list, or a single value, each with its path."""
    value = config.get(key, [])
    if not isinstance(value, list):
        return [(key, value)]
    if key in config and not 1 <= len(value) <= MOST_PARTS:
        raise RuleInvalid(key, f"has {len(value)} items; write 1 to {MOST_PARTS} of them")
    return [(f"{key}[{index}]", part) for index, part in enumerate(value)]
