"""One call to the stand-in, and what is answered: envelope, error bodies, pages of a list."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""What a JSON document holds."""

STRING_BODIES = frozenset({429, 503})
"""Statuses whose body is a bare string. Source: Novu, OpenAPI document 3.18.1."""

UNPROCESSABLE = 422
"""Always brings `errors`, be it empty. Source: as above."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came in.

    Attributes:
        method: in capitals.
        path: without the query.
        names: what the route's path names, as `subscriberId`.
        query: the query's parameters.
        headers: names in lower case.
        body: the JSON document; None where none was sent.
        size: bytes of the body.
    """

    method: str
    path: str
    names: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    size: int = 0

    def fields(self) -> dict[str, Json]:
        """Give the body's members; a body that is no object has none."""
        return self.body if isinstance(self.body, dict) else {}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, already in bytes, so that a stored answer is repeated byte for byte."""

    status: int
    content: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def also(self, headers: Mapping[str, str]) -> "Answer":
        """Give the same answer with further headers."""
        return replace(self, headers={**self.headers, **headers})


class Refusal(Exception):
    """An answer that is not success; raised wherever it is found out."""

    def __init__(
        self, status: int, message: Json, headers: Mapping[str, str] | None = None, **members: Json
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.members = members

    def answer(self, path: str) -> Answer:
        """Give the error body: never inside the envelope; a bare string for 429 and 503."""
        if self.status in STRING_BODIES:
            return Answer(self.status, dump(self.message), headers=self.headers)
        body = {
            "statusCode": self.status,
            "timestamp": iso(datetime.now(UTC)),
            "path": path,
            "message": self.message,
            **({"errors": {}} if self.status == UNPROCESSABLE else {}),
            **self.members,
        }
        return Answer(self.status, dump(body), headers=self.headers)


def invalid(errors: Mapping[str, Sequence[str]]) -> Refusal:
    """Refuse for the sake of fields, by name, as Novu's validation does."""
    return Refusal(
        422,
        "Validation Error",
        errors={name: {"messages": list(messages)} for name, messages in errors.items()},
    )


def success(status: int, result: Json) -> Answer:
    """Put a result into the envelope, unless it brings a `data` member and no id of its own."""
    bare = isinstance(result, dict) and "data" in result and "_id" not in result
    return Answer(status, dump(result if bare else {"data": result}))


def page_of(items: Sequence[dict[str, Json]], query: Mapping[str, str]) -> dict[str, Json]:
    """Give one page of a list, in the order of creation; the cursors are the items' ids.

    Args:
        items: the whole list, each with an `_id`.
        query: `limit` (10 where absent, at most 100), `after` or `before` an id.
    """
    limit = _limit_of(query.get("limit", "10"))
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


def _limit_of(text: str) -> int:
    """Read the size of a page; "10.0" is a number, too, and the official client writes it so."""
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not limit.is_integer() or not 1 <= limit <= 100:  # noqa: PLR2004 - Novu's largest page
        raise invalid({"limit": ["limit must be a number from 1 to 100"]})
    return int(limit)


def dump(value: Json) -> bytes:
    """Write JSON, compact."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def iso(moment: datetime) -> str:
    """Write a moment as Novu does: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_of_ms(epoch_ms: int) -> str:
    """Write milliseconds since 1970 as Novu writes a moment."""
    return iso(datetime.fromtimestamp(epoch_ms / 1000, UTC))
