"""The values that a template may name: the payload, and what we know beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from xnovu_poller.errors import TemplateFailed
from xnovu_poller.lifecycle import OUR_KEY

DEEPEST = 500
"""The most levels of a document. Python reads as many as its stack has room for, which are others in each version."""


@dataclass(slots=True)  # not frozen: ADR 12
class Occasion:
    """What a notification is about, besides its payload.

    Attributes:
        brand: the JSON text of what its enterprise gives to all of its templates.
        due_at: when it became due: the same at every attempt, and so is the text.
        fired_at: the time for which its rule fired; None if no rule made it.
    """

    enterprise_id: str
    enterprise_name: str | None
    brand: str
    workflow_key: str
    workflow_name: str
    notification_id: int
    name: str
    due_at: datetime
    scheduled_for: datetime | None = None
    fired_at: datetime | None = None


def list_variables(occasion: Occasion, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that a template may name: the payload, by itself and as `payload`, and what we know beside it.

    Raises:
        TemplateFailed: the brand of the enterprise cannot be read.
    """
    try:
        brand = _read_brand(occasion.brand)
    except (ValueError, RecursionError):
        raise TemplateFailed("the brand of the enterprise cannot be read") from None
    scheduled_for = None if occasion.scheduled_for is None else _iso(occasion.scheduled_for)
    read = dict(payload)
    ours: dict[str, Any] = {
        "payload": read,
        "enterprise": {"id": occasion.enterprise_id, "name": occasion.enterprise_name},
        "workflow": {"key": occasion.workflow_key, "name": occasion.workflow_name},
        "notification": {
            "id": occasion.notification_id,
            "name": occasion.name,
            "scheduled_for": scheduled_for,
        },
        "brand": brand,
        "now": _iso(occasion.due_at),
    }
    if occasion.fired_at is not None:
        ours["fired_at"] = _iso(occasion.fired_at)
        read[OUR_KEY] = {"fired_at": ours["fired_at"]}
    return ours | read


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def read_json(text: str | bytes) -> dict[str, Any]:
    """Return a JSON object in UTF-8 as Python's values; no number changes its digits.

    Raises:
        ValueError, RecursionError: it cannot be read.
    """
    written = text if isinstance(text, str) else text.decode()
    values: dict[str, Any] = _DECODER.decode(written)
    if "\\ud" in written or "\\uD" in written:
        # Half of a character, which Python's decoder accepts and PostgreSQL refuses, raises UnicodeEncodeError.
        json.dumps(values, ensure_ascii=False, default=str).encode()
    if written.count("[") + written.count("{") > DEEPEST and _is_too_deep(values):
        raise ValueError(f"it has more than {DEEPEST} levels")
    return values


def _is_too_deep(document: dict[str, Any]) -> bool:
    level: list[dict[str, Any] | list[Any]] = [document]
    for _ in range(DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
        if not level:
            return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a value of JSON")


# `json.loads` would make a decoder for each document.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


@lru_cache(maxsize=16)
def _read_brand(text: str) -> dict[str, Any]:
    """Return the values of a brand, which the notifications of a group share; no template can change them."""
    return read_json(text)
