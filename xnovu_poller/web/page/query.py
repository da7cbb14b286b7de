"""Addresses that can be shared: the filters of a list and the place in it, as the query of an address."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.datastructures import FormData, QueryParams

from xnovu_poller.lifecycle import Status
from xnovu_poller.store.catalog import Wanted
from xnovu_poller.store.notifications.filters import Filters
from xnovu_poller.store.notifications.listing import Position

Given = QueryParams | FormData
Value = TypeVar("Value")

MOST_CHARACTERS = 1_000
"""A longer value is refused."""

_MOST_ID = 2**63 - 1
_YEARS = range(1970, 9000)
_TIMES = ("since", "until", "ended")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Unreadable(ValueError):
    """A value of the query cannot be read; the message names what to write."""


def read_filters(given: Given) -> tuple[Filters, list[str]]:
    """Return the filters of a query, and a sentence for each value that cannot be read and so filters nothing."""
    faults: list[str] = []

    def read(name: str, parse: Callable[[str], Value]) -> Value | None:
        value = str(given.get(name) or "").strip()
        try:
            return parse(value) if value else None
        except Unreadable as fault:
            faults.append(f"{name}: {fault}")
            return None

    filters = Filters(
        enterprise=read("enterprise", read_text),
        states=tuple(state for state in Status if state in given.getlist("state")),
        code=read("code", read_text),
        workflow=read("workflow", read_text),
        rule=read("rule", read_id),
        tag=read("tag", read_text),
        since=read("since", read_moment),
        until=read("until", read_moment),
        ended=read("ended", read_moment),
        recipient=read("recipient", read_text),
    )
    return filters, faults


def write_filters(filters: Filters) -> list[tuple[str, str]]:
    """Return filters as the members of a query; times are exact."""
    pairs: list[tuple[str, Any]] = [
        *(("state", state.value) for state in filters.states),
        *(
            (name, getattr(filters, name))
            for name in ("enterprise", "workflow", "recipient", "code", "rule", "tag")
        ),
        *((name, at.isoformat()) for name in _TIMES if (at := getattr(filters, name))),
    ]
    return [(name, str(value)) for name, value in pairs if value is not None]


def with_place(given: QueryParams, after: str | None) -> str:
    """Return the query of the same list from another place on."""
    kept = [(name, value) for name, value in given.multi_items() if name != "after" and value]
    return urlencode([*kept, ("after", after)] if after else kept)


def read_text(value: str) -> str:
    """Read a text that PostgreSQL can hold."""
    if len(value) > MOST_CHARACTERS or "\0" in value:
        raise Unreadable(f"write at most {MOST_CHARACTERS} characters")
    return value


def read_id(value: str) -> int:
    """Read the id of a row."""
    if not re.fullmatch(r"[0-9]{1,19}", value) or not 1 <= int(value) <= _MOST_ID:
        raise Unreadable("write the number of a row")
    return int(value)


def read_moment(value: str) -> datetime:
    """Read a time in ISO 8601, in UTC if it has no offset; or how long ago: 90m, 24h, 7d."""
    try:
        at = _read_age(value) or datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        at = None
    if at is None or at.year not in _YEARS:
        raise Unreadable("write 2026-11-30, 2026-11-30T09:00+01:00, or how long ago: 90m, 24h, 7d")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _read_age(value: str) -> datetime | None:
    age = re.fullmatch(r"([0-9]{1,9})([mhd])", value)
    return age and datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})


def read_position(given: Given) -> Position | None:
    """Return the place where a list goes on; None for its beginning, also if it cannot be read."""
    at, _, id_ = str(given.get("after") or "").rpartition(",")
    try:
        return Position(read_moment(at), read_id(id_))
    except Unreadable:
        return None


def write_position(at: Position | None) -> str | None:
    """Return a place in a list as `read_position` reads it."""
    return None if at is None else f"{at.created_at.isoformat()},{at.id}"


def describe_filters(filters: Filters) -> Iterator[tuple[str, str]]:
    """Yield what filters choose, in words."""
    if filters.states:
        yield "state", ", ".join(filters.states)
    for name, value in write_filters(filters):
        if name != "state":
            yield name, value


def read_wanted(given: Given) -> Wanted:
    """Return which rows of the catalog a query chooses; a value that cannot be read filters nothing."""

    def read(name: str) -> str | None:
        value = str(given.get(name) or "").strip()
        return value if 0 < len(value) <= MOST_CHARACTERS and "\0" not in value else None

    after = str(given.get("after") or "")
    return Wanted(
        enterprise=read("enterprise"),
        key=read("key"),
        after=int(after) if re.fullmatch(r"[0-9]{1,18}", after) else 0,
        faulty=given.get("faulty") == "yes",
    )
