"""The faults of the API, as RFC 9457 has them: `application/problem+json`, each with a code that never changes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"

SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""The headers of every answer: nobody keeps it, and no browser takes it for something else."""


class _Kind(NamedTuple):
    status: int
    title: str


class Fault(Enum):
    """Every fault; the name in lower case is its code."""

    BAD_REQUEST = _Kind(400, "The request cannot be read")
    UNAUTHORIZED = _Kind(401, "The key is missing, wrong, expired or revoked")
    FORBIDDEN = _Kind(403, "The key may not do this")
    NOT_FOUND = _Kind(404, "There is no such thing here")
    METHOD_NOT_ALLOWED = _Kind(405, "The path does not know this method")
    REQUEST_TIMEOUT = _Kind(408, "The request did not arrive in time")
    CONFLICT = _Kind(409, "It contradicts another notification or its state")
    TOO_LARGE = _Kind(413, "The request is too large")
    UNSUPPORTED_MEDIA_TYPE = _Kind(415, "The request must be application/json")
    INVALID = _Kind(422, "The request breaks a rule")
    TOO_MANY_REQUESTS = _Kind(429, "Too many requests")
    INTERNAL = _Kind(500, "The API has a fault")
    UNAVAILABLE = _Kind(503, "The API cannot serve now")

    @property
    def code(self) -> str:
        """The stable name."""
        return self.name.lower()

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.value.status

    @property
    def title(self) -> str:
        """The sentence that is the same each time."""
        return self.value.title


BY_STATUS: Mapping[int, Fault] = {fault.status: fault for fault in Fault}


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a part of a request breaks.

    Attributes:
        pointer: JSON pointer to the part of the body, such as `#/3/recipients`; or the name of a parameter.
    """

    pointer: str
    detail: str


@dataclass(slots=True)
class Problem(Exception):
    """A fault of a request, raised where it is noticed, and answered in one place.

    Attributes:
        detail: the problem this time, without content of the request and without anything of others.
        errors: which rules are broken where.
        headers: of the answer.
        code: a narrower code than that of the fault.
    """

    fault: Fault
    detail: str = ""
    errors: Sequence[Broken] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.fault.title,
            "status": self.fault.status,
            "code": self.code or self.fault.code,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.errors:
            body["errors"] = [{"pointer": each.pointer, "detail": each.detail} for each in self.errors]
        return body

    def to_response(self) -> Response:
        """Return the answer."""
        return Response(
            json.dumps(self.to_json(), ensure_ascii=False),
            status_code=self.fault.status,
            headers={**SAFE, **self.headers},
            media_type=MEDIA_TYPE,
        )
