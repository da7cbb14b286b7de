"""What a rule's row says of time, read and checked once: for the preview and for Temporal alike."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.lifecycle import RuleTrigger
from xnovu_poller.rules import cron
from xnovu_poller.rules.matcher import BEGINNING, Firings
from xnovu_poller.rules.spec import (
    CATCHUP,
    FIRST_YEAR,
    LAST_YEAR,
    Calendar,
    Interval,
    Overlap,
    Span,
    Timing,
)
from xnovu_poller.rules.values import duration, moment, nearest, shown, zone_name

__all__ = ["CATCHUP", "Calendar", "Interval", "Overlap", "Span", "Timing", "timing"]

MOST_PARTS = 32
"""Expressions, calendars and intervals of one rule, together."""

RARELY = 40
"""Years within which any day of any month is any weekday; a leap day needs 28 of them."""

REMEMBERED = 4096
"""Configs that are read once: a reconciliation reads the same again and again."""

SHORT = 500
"""Characters of the JSON of a config that is remembered; so all of them need some 50 MB at the most."""

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_YEAR = 366 * _DAY
_LEAST_CATCHUP = timedelta(seconds=10)  # Temporal's own

_TIMES = ("cron", "calendar", "interval")
_CRON = (*_TIMES, "timezone", "jitter", "start_at", "end_at", "overlap", "catchup")
_SCHEDULE = ("at", "timezone", "catchup")


def timing(trigger: RuleTrigger, config: Mapping[str, Any]) -> Timing:
    """Read what a rule says of its times; a key whose value is null is as good as none.

    A CRON rule has one or more of

    - `cron`: an expression or a list of them, see `cron`;
    - `calendar`: an object or a list of them, its keys the fields of `Calendar`, each in cron's way; a time
      that is not named is 0, a date that is not named is any; `comment` is for people;
    - `interval`: `{"every": "1h30m", "offset": "10m"}` or a list of them,

    and may have `timezone` (UTC), `jitter`, `start_at`, `end_at`, `overlap` (SKIP) and `catchup` (1 minute).
    A SCHEDULE rule has `at`, and may have `timezone` and `catchup`.

    Raises:
        RuleInvalid: it cannot be, and what to write instead.
    """
    try:
        text = json.dumps(config, sort_keys=True)
    except (RecursionError, TypeError, ValueError):  # too deep, or no JSON
        return _read(trigger, config)
    if len(text) > SHORT:
        return _read(trigger, config)
    found = _remembered(trigger, text)
    if isinstance(found, Timing):
        return found
    raise RuleInvalid(*found)


@lru_cache(maxsize=REMEMBERED)
def _remembered(trigger: RuleTrigger, text: str) -> Timing | tuple[str, str]:
    """Read a config; a fault is given as where and why, for an error that is raised again and again grows."""
    try:
        return _read(trigger, json.loads(text))
    except RuleInvalid as error:
        return error.path, error.reason


def _read(trigger: RuleTrigger, config: Mapping[str, Any]) -> Timing:
    """Read a config, see `timing`.

    Raises:
        RuleInvalid: it cannot be.
    """
    if trigger == RuleTrigger.EVENT:
        raise RuleInvalid(
            "trigger_type",
            "EVENT is not served; write CRON or SCHEDULE, or let a trigger of your table insert the notification",
        )
    if not isinstance(config, Mapping):
        raise RuleInvalid("trigger_config", 'write an object, such as {"cron": "0 9 * * 1-5"}')
    if trigger == RuleTrigger.SCHEDULE:
        return _once(_given("", config, _SCHEDULE))
    return _repeated(_given("", config, _CRON))


def _once(config: Mapping[str, Any]) -> Timing:
    """Read a SCHEDULE rule; its calendar is its very second in UTC, where no clock changes."""
    if "at" not in config:
        raise RuleInvalid("at", 'is missing; write {"at": "2027-01-31T09:00:00+01:00"}')
    zone = zone_name("timezone", config["timezone"]) if "timezone" in config else None
    at = moment("at", config["at"], zone, up=True)
    parts = (at.second, at.minute, at.hour, at.day, at.month, at.isoweekday() % 7, at.year)
    return Timing(
        calendars=(Calendar(*((Span(number, number),) for number in parts)),),
        catchup=_length(config, "catchup", CATCHUP, _LEAST_CATCHUP, _YEAR),
        at=at,
        shown_in=zone or "UTC",
    )


def _repeated(config: Mapping[str, Any]) -> Timing:
    """Read a CRON rule."""
    if not any(key in config for key in _TIMES):
        raise RuleInvalid("trigger_config", 'names no time; write "cron", "calendar" or "interval"')
    if sum(len(_parts(config, key)) for key in _TIMES) > MOST_PARTS:
        raise RuleInvalid(
            "trigger_config", f"write {MOST_PARTS} times at most; a rule more may have the others"
        )
    zone = zone_name("timezone", config["timezone"]) if "timezone" in config else None
    read = Timing(
        calendars=tuple(_calendars(config, zone or "UTC")),
        intervals=tuple(_interval(path, value) for path, value in _parts(config, "interval")),
        zone=zone or "UTC",
        jitter=_length(config, "jitter", timedelta(0), timedelta(0), _DAY),
        start_at=moment("start_at", config["start_at"], zone, up=True) if "start_at" in config else None,
        end_at=moment("end_at", config["end_at"], zone, up=False) if "end_at" in config else None,
        overlap=_overlap(config.get("overlap", Overlap.SKIP)),
        catchup=_length(config, "catchup", CATCHUP, _LEAST_CATCHUP, _YEAR),
        shown_in=zone or "UTC",
    )
    if read.start_at and read.end_at and read.end_at < read.start_at:
        raise RuleInvalid("end_at", "lies before start_at; write a later time")
    if (read.start_at or read.end_at) and Firings(read).next(BEGINNING) is None:
        raise RuleInvalid(
            "trigger_config", "never fires from start_at to end_at; leave more time between them"
        )
    return read


def _calendars(config: Mapping[str, Any], zone: str) -> Iterator[Calendar]:
    """Read expressions and calendars; one that never fires is a fault, whichever others do."""
    parts = [(path, _cron(path, value)) for path, value in _parts(config, "cron")]
    parts += [(path, _calendar(path, value)) for path, value in _parts(config, "calendar")]
    for path, read in parts:
        if not _ever_fires(read, zone):
            raise RuleInvalid(path, f"never fires in {zone}; write a day and a time that exist")
        yield read


def _ever_fires(calendar: Calendar, zone: str) -> bool:
    """Look at the last years alone: what fires in none of them but did once would be searched for in vain for long."""
    last = max((span.numbers()[-1] for span in calendar.year), default=LAST_YEAR)
    after = datetime(max(FIRST_YEAR, last - RARELY), 1, 1, tzinfo=UTC) - _SECOND
    return Firings(Timing((calendar,), zone=zone)).next(after) is not None


def _cron(path: str, value: object) -> Calendar:
    """Read one expression."""
    if not isinstance(value, str):
        raise RuleInvalid(path, 'write a text, such as "0 9 * * 1-5"')
    return cron.calendar(path, value)


def _calendar(path: str, value: object) -> Calendar:
    """Read one calendar."""
    if not isinstance(value, Mapping):
        raise RuleInvalid(path, 'write an object, such as {"hour": 9, "day_of_week": "MON-FRI"}')
    given = _given(f"{path}.", value, (*cron.FIELDS, "comment"))
    if not isinstance(given.get("comment", ""), str):
        raise RuleInvalid(f"{path}.comment", "write a text")
    if given.keys() <= {"comment"}:
        raise RuleInvalid(path, f"says nothing; write one of {', '.join(cron.FIELDS)}")
    return Calendar(
        **{
            name: cron.spans(f"{path}.{name}", name, given.get(name, known.default))
            for name, known in cron.FIELDS.items()
        }
    )


def _interval(path: str, value: object) -> Interval:
    """Read one interval."""
    if not isinstance(value, Mapping):
        raise RuleInvalid(path, 'write an object, such as {"every": "15m"}')
    given = _given(f"{path}.", value, ("every", "offset"))
    if "every" not in given:
        raise RuleInvalid(f"{path}.every", 'is missing; write a duration, such as "15m"')
    every = duration(f"{path}.every", given["every"], _SECOND, _YEAR)
    return Interval(every, duration(f"{path}.offset", given.get("offset", 0), timedelta(0), every - _SECOND))


def _overlap(value: object) -> Overlap:
    """Read what a firing does while the one before still runs."""
    name = value.strip().upper() if isinstance(value, str) else ""
    try:
        return Overlap(name)
    except ValueError:
        raise RuleInvalid("overlap", f"write one of {', '.join(Overlap)}") from None


def _length(
    config: Mapping[str, Any], key: str, default: timedelta, least: timedelta, most: timedelta
) -> timedelta:
    """Read a duration that need not be there."""
    return duration(key, config[key], least, most) if key in config else default


def _parts(config: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    """Give each of a list, or the one that stands there without, with its path."""
    value = config.get(key, [])
    if not isinstance(value, list):
        return [(key, value)]
    if key in config and not 1 <= len(value) <= MOST_PARTS:
        raise RuleInvalid(key, f"write 1 to {MOST_PARTS} of them")
    return [(f"{key}[{place}]", part) for place, part in enumerate(value)]


def _given(path: str, config: Mapping[str, Any], known: tuple[str, ...]) -> Mapping[str, Any]:
    """Give what a config says; a key that nobody would read is a fault, for somebody relies on it."""
    for key in config:
        if key not in known:
            raise RuleInvalid(f"{path}{shown(key)}", _instead(key, known))
    return {key: value for key, value in config.items() if value is not None}


def _instead(key: str, known: tuple[str, ...]) -> str:
    """Say what to write instead of a key."""
    if key == "enabled":
        return "is not read; write publish_status or deactivated on the rule's row"
    if key in _CRON and "at" in known:
        return "is for trigger_type CRON; a SCHEDULE rule has at"
    if key == "at":
        return "is for trigger_type SCHEDULE"
    return f"no such key; write {nearest(key, list(known))}"
