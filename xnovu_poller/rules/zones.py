"""Read the name of a time zone; explain a name that is wrong, but guess no zone by its spelling."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from zoneinfo import available_timezones

from xnovu_poller.errors import RuleInvalid
from xnovu_poller.rules.zone_names import find_abbreviation, find_place, find_windows, fold

_HOST_ZONES = frozenset({"localtime", "Factory"})
"""These files lie among the zones, but differ from machine to machine or name no zone."""

_LONGEST = 60
"""No name that we know is longer."""

_LEAST_MISSPELT = 5
"""Shorter names are too often one letter from another place."""

_OFFSET = re.compile(r"(?:UTC|GMT)? ?([+\u2212-]) ?([0-9]{1,2})(?::?([0-9]{2}))?", re.IGNORECASE)
_REVERSED = re.compile(r"Etc/GMT([+-])([0-9]{1,2})")

_FULL_HOURS = {"+": 14, "-": 12}
"""How far the zones of the form Etc/GMT-8 reach, ahead of UTC and behind it."""

_PART_HOURS: Mapping[str, str] = MappingProxyType(
    {
        "+3:30": "Asia/Tehran",
        "+4:30": "Asia/Kabul",
        "+5:30": "Asia/Kolkata",
        "+5:45": "Asia/Kathmandu",
        "+6:30": "Asia/Yangon",
        "+8:45": "Australia/Eucla",
        "+9:30": "Australia/Darwin",
        "-9:30": "Pacific/Marquesas",
    }
)
"""Zones whose clocks always have this offset."""

_REGIONS: Mapping[str, str] = MappingProxyType({"us": "america", "canada": "america", "usa": "america"})

_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven"),
    *("eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen"),
)

_INSTEAD = 'an IANA name, such as "Asia/Shanghai" or "UTC"'


def read_zone(path: str, value: object) -> str:
    """Read the name of an IANA time zone.

    Raises:
        RuleInvalid: there is no zone of this name.
    """
    if not isinstance(value, str):
        raise RuleInvalid(path, 'is not a text; write the name of an IANA time zone, such as "Asia/Shanghai"')
    if value in list_zones():
        return value
    raise RuleInvalid(path, f"there is no such time zone; {_explain(value.strip())}")


def explain_sign(zone: str) -> str | None:
    """Return what a zone such as `Etc/GMT+8` means, whose sign people read the wrong way; None for any other zone."""
    found = _REVERSED.fullmatch(zone)
    return _describe("-" if found[1] == "+" else "+", int(found[2])) if found and int(found[2]) else None


@cache
def list_zones() -> frozenset[str]:
    """Return the names of all zones. Only these names ever become the path of a zone file."""
    return frozenset(available_timezones()) - _HOST_ZONES


def _explain(name: str) -> str:
    """Return what to write instead of a name: a zone only if the name can mean no other, else what to look for."""
    if len(name) > _LONGEST:
        return f"write {_INSTEAD}"
    if offset := _OFFSET.fullmatch(name):
        return _explain_offset(*offset.groups())
    zones = (
        _only(zone for zone in list_zones() if zone.casefold() == name.casefold())
        or _find_same(name)
        or find_abbreviation(name)
        or find_windows(name)
        or _find_by_place(name)
        or _find_misspelt(name)
    )
    if len(zones) > 1:
        *others, last = (f'"{zone}"' for zone in zones)
        return f"the name has several meanings; write {', '.join(others)} or {last}"
    return f'write "{zones[0]}"' if zones else f"write {_INSTEAD}"


def _explain_offset(sign: str, hours: str, minutes: str | None) -> str:
    """Return which zone has an offset; the names `Etc/GMT-8` have the sign reversed."""
    sign, hour, minute = "+" if sign == "+" else "-", int(hours), int(minutes or 0)
    if not hour and not minute:
        return 'write "UTC"'
    if minute:
        place = _PART_HOURS.get(f"{sign}{hour}:{minute:02}")
        example = f', such as "{place}"' if place else ""
        return f"no zone is named by an offset with minutes; write the name of a place there{example}"
    if hour > _FULL_HOURS[sign]:
        return f"no place is so far from UTC; write {_INSTEAD}"
    zone = f"Etc/GMT{'-' if sign == '+' else '+'}{hour}"
    return (
        f'write "{zone}", which is {_describe(sign, hour)} (its sign is reversed), or the IANA name of a place,'
        " whose clocks may change"
    )


def _describe(sign: str, hour: int) -> str:
    """Return an offset in words."""
    return f"{_NUMBERS[hour]} hour{'s'[: hour > 1]} {'ahead of' if sign == '+' else 'behind'} UTC"


def _find_same(name: str) -> tuple[str, ...]:
    """Return the zone whose name differs only by case, blanks and punctuation."""
    wanted = [fold(part) for part in _split(name)]
    return _only(zone for zone in list_zones() if [fold(part) for part in _split(zone)] == wanted)


def _find_by_place(name: str) -> tuple[str, ...]:
    """Return the zones of a place, if its region is missing or fits."""
    *regions, place = _split(name)
    zones = find_place(place)
    if not zones and not regions:
        zones = _only(zone for zone in list_zones() if "/" in zone and fold(_split(zone)[-1]) == fold(place))
    region = fold(regions[0]) if regions else ""
    wanted = _REGIONS.get(region, region)
    return tuple(zone for zone in zones if not wanted or fold(_split(zone)[0]) == wanted)


def _find_misspelt(name: str) -> tuple[str, ...]:
    """Return the zone of the same region whose last part is an edit away, if there is exactly one."""
    *region, place = name.casefold().split("/")
    if not region or len(place) < _LEAST_MISSPELT:
        return ()
    near = (zone for zone in list_zones() if zone.casefold().split("/")[:-1] == region)
    return _only(zone for zone in near if _is_one_edit(place, zone.casefold().split("/")[-1]))


def _is_one_edit(left: str, right: str) -> bool:
    """Return whether a letter that is missing, added, replaced or swapped with its neighbour makes the difference."""
    short, long = sorted((left, right), key=len)
    same = next((index for index, letter in enumerate(short) if letter != long[index]), len(short))
    if len(short) != len(long):
        return short[same:] == long[same + 1 :]
    swapped = short[:same] + short[same : same + 2][::-1] + short[same + 2 :]
    return short[same + 1 :] == long[same + 1 :] or swapped == long


def _only(zones: Iterable[str]) -> tuple[str, ...]:
    """Return the only zone; none if there are several."""
    found = tuple(zones)
    return found if len(found) == 1 else ()


def _split(name: str) -> list[str]:
    return name.replace("\\", "/").split("/")
