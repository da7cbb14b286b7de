"""What Novu's answers mean: statuses and bodies become outcomes and errors."""

import re
import time
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from xnovu_poller.errors import (
    NovuError,
    NovuRejected,
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import Accepted, Outcome, Refused, Unknown

SHORTEST_PAUSE, USUAL_PAUSE, LONGEST_PAUSE = (timedelta(seconds=s) for s in (1, 5, 300))
"""What Novu may ask for, and what is taken where it asks for a pause without saying how long."""

# 425 and 503 are said before the request is looked at.
UNAVAILABLE = frozenset({425, 502, 503, 504})
# A gateway says so of an answer that broke off or did not come: Novu may have the request.
UNSURE = frozenset({502, 504})
# 408 may come from a proxy that had passed the request on; 409 says that the same call is still running.
UNANSWERED = frozenset({408, 409})
REJECTED = frozenset({400, 413, 415, 422})

# Without digits, so that no id of a person or a thing passes for one of Novu's codes.
_CODE = re.compile(r"(?=.{3,64}\Z)(?:[a-z]+(?:_[a-z]+)+|[A-Z]+(?:_[A-Z]+)+)")
_FIELD = re.compile(r"(?=.{1,64}\Z)[A-Za-z_]+(?:\.[A-Za-z0-9_]+)*")
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_MOST_FIELDS = 5


def content(answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    """Give the `data` of a success.

    Raises:
        NovuError: what any other answer means; only after `NovuUnanswered` something may have been
            accepted.
    """
    status = answer.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        asked = pause(answer, "Retry-After") or pause(answer, "RateLimit-Reset")
        raise NovuThrottled(asked or USUAL_PAUSE)
    if status in UNAVAILABLE:
        raise NovuUnavailable(str(status), pause(answer, "Retry-After"), unsure=status in UNSURE)
    if status in UNANSWERED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Novu keeps its 500 for a day under the key; whatever else lies here may come from a proxy.
        raise NovuUnanswered(str(status), answered=status == HTTPStatus.INTERNAL_SERVER_ERROR)
    try:
        said = answer.json()
    except (ValueError, RecursionError):
        said = None
    if not answer.is_success:
        raise _refusal(status, said)
    if not isinstance(said, dict) or "data" not in said:
        raise NovuUnanswered("malformed answer")
    return said["data"]


def outcome(item: object) -> Outcome:
    """Read Novu's answer to one event: accepted is only what it says is `processed`."""
    status = item.get("status") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(status, str):
        return Unknown(NovuUnanswered("malformed answer"))
    if status == "processed":
        return Accepted()
    return Refused(NovuRejected(HTTPStatus.CREATED, _reason(item)))


def failure(error: NovuError) -> Outcome:
    """Say how a call ended that raised."""
    return Unknown(error) if isinstance(error, NovuUnanswered) else Refused(error)


def in_order(transaction_ids: list[str], items: list[Any]) -> list[Any]:
    """Give each event of a bulk call its item: by transaction id, else by position; None if neither is sure."""
    ours = set(transaction_ids)
    names = [_name(item) for item in items]
    named = dict(zip(names, items, strict=True))
    unnamed = [None if name in ours else item for name, item in zip(names, items, strict=True)]
    if len(items) != len(transaction_ids):
        unnamed = [None] * len(transaction_ids)
    return [named.get(name, item) for name, item in zip(transaction_ids, unnamed, strict=True)]


def remaining(answer: httpx.Response) -> int | None:
    """Read how many calls the rate limit still allows; None if Novu does not say."""
    said = answer.headers.get("RateLimit-Remaining", "")
    return int(float(said)) if _SECONDS.fullmatch(said) else None


def pause(answer: httpx.Response, header: str) -> timedelta | None:
    """Read a pause, in seconds or until a date, and keep it within what is sane; None if there is none."""
    said = answer.headers.get(header, "")
    if _SECONDS.fullmatch(said):
        asked = float(said)
    else:
        try:
            asked = parsedate_to_datetime(said).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(timedelta(seconds=asked), SHORTEST_PAUSE), LONGEST_PAUSE)


def _name(item: object) -> str | None:
    name = item.get("transactionId") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def _refusal(status: int, said: object) -> NovuError:
    """Name what a 3xx or 4xx means: about this event if Novu itself says so, else about key or address."""
    if status not in REJECTED or not isinstance(said, dict):
        return NovuUnauthorized(status)
    if "is being reused" in str(said.get("message")):
        # Our key names the transaction and the body's hash: so some earlier call of this transaction
        # went out, and nobody says how it ended.
        return NovuUnanswered("idempotency key in use for another body")
    return NovuRejected(status, _reason(said))


def _reason(said: Mapping[str, Any]) -> str:
    """Give Novu's own code for a refusal, or the fields it names; never prose, which may quote a value."""
    for name in ("type", "error", "message", "status"):
        words = said.get(name)
        for word in words if isinstance(words, list) else [words]:
            if isinstance(word, str) and _CODE.fullmatch(word):
                return word
    errors = said.get("errors")
    fields = sorted(filter(_FIELD.fullmatch, errors)) if isinstance(errors, dict) else []
    return "fields: " + ", ".join(fields[:_MOST_FIELDS]) if fields else "unspecified"
