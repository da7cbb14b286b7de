"""A call to the stand-in and its answer: envelope, error bodies, pages of a list."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Any JSON value."""

STRING_BODIES = frozenset({429, 503})
"""Statuses whose body is a bare string. Source: Novu, OpenAPI document 3.18.1."""

UNPROCESSABLE = 422
"""A status whose body always has `errors`, even if empty. Source: as above."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it arrived.

    Attributes:
        method: in upper case.
        path: without the query.
        names: the parameters in the path, such as `subscriberId`.
        query: the query's parameters.
        headers: names in lower case.
        body: the JSON document; None if the body was empty.
        size: the body's length in bytes.
    """

    method: str
    path: str
    names: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    size: int = 0

    def fields(self) -> dict[str, Json]:
        """Return the body's members; none if the body is not an object."""
        return self.body if isinstance(self.body, dict) else {}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, already in bytes, so that a stored answer is repeated byte for byte."""

    status: int
    content: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> "Answer":
        """Return the same answer with more headers."""
        return replace(self, headers={**self.headers, **headers})


class Refusal(Exception):
    """An answer that is not a success; raised where the fault is found."""

    def __init__(
        self, status: int, message: Json, headers: Mapping[str, str] | None = None, **members: Json
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.members = members

    def answer(self, path: str) -> Answer:
        """Return the error body: outside the envelope, and a bare string for 429 and 503."""
        if self.status in STRING_BODIES:
            return Answer(self.status, dump(self.message), headers=self.headers)
        body = {
            "statusCode": self.status,
            "timestamp": format_time(datetime.now(UTC)),
            "path": path,
            "message": self.message,
            **({"errors": {}} if self.status == UNPROCESSABLE else {}),
            **self.members,
        }
        return Answer(self.status, dump(body), headers=self.headers)


def invalid(errors: Mapping[str, Sequence[str]]) -> Refusal:
    """Return a refusal that lists the invalid fields, as Novu's validation does."""
    return Refusal(
        422,
        "Validation Error",
        errors={name: {"messages": list(messages)} for name, messages in errors.items()},
    )


def success(status: int, result: Json) -> Answer:
    """Wrap a result in the envelope, unless it has a `data` member and no id."""
    bare = isinstance(result, dict) and "data" in result and "_id" not in result
    return Answer(status, dump(result if bare else {"data": result}))


def paginate(items: Sequence[dict[str, Json]], query: Mapping[str, str]) -> dict[str, Json]:
    """Return a page of a list, in the order of creation; the cursors are the items' ids.

    Args:
        items: the whole list, each with an `_id`.
        query: `limit` (default 10, at most 100), and `after` or `before` an id.
    """
    limit = _read_limit(query.get("limit", "10"))
    ids = [item["_id"] for item in items]
    start = 0
    if query.get("after") in ids:
        start = ids.index(query["after"]) + 1
    elif query.get("before") in ids:
        start = max(0, ids.index(query["before"]) - limit)
    chosen = list(items[start : start + limit])
    more = start + len(chosen) < len(items)
    return {
        "data": chosen,
        "next": chosen[-1]["_id"] if chosen and more else None,
        "previous": chosen[0]["_id"] if chosen and start else None,
        "totalCount": len(items),
        "totalCountCapped": False,
    }


def _read_limit(text: str) -> int:
    """Read the size of a page; the official client writes "10.0" for 10."""
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not limit.is_integer() or not 1 <= limit <= 100:  # noqa: PLR2004 - Novu's largest page
        raise invalid({"limit": ["limit must be a number from 1 to 100"]})
    return int(limit)


def dump(value: Json) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def format_time(moment: datetime) -> str:
    """Return a time in Novu's format: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_ms(epoch_ms: int) -> str:
    """Return milliseconds since 1970 in Novu's format."""
    return format_time(datetime.fromtimestamp(epoch_ms / 1000, UTC))
