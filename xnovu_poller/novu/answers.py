"""Translate Novu's answers, statuses and bodies, to outcomes and errors."""

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
"""The bounds of a pause that Novu asks for, and the pause if it gives no duration."""

# A server answers 425 and 503 before it handles the request.
UNAVAILABLE = frozenset({425, 502, 503, 504})
# A gateway answers 502 and 504 if Novu's answer broke off or never came: Novu may have the request.
UNSURE = frozenset({502, 504})
# 408 may come from a proxy that has forwarded the request; 409 means that the same call is still running.
UNANSWERED = frozenset({408, 409})
REJECTED = frozenset({400, 413, 415, 422})

# No digits, so that an id cannot be mistaken for one of Novu's codes.
_CODE = re.compile(r"(?=.{3,64}\Z)(?:[a-z]+(?:_[a-z]+)+|[A-Z]+(?:_[A-Z]+)+)")
_FIELD = re.compile(r"(?=.{1,64}\Z)[A-Za-z_]+(?:\.[A-Za-z0-9_]+)*")
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_MOST_FIELDS = 5


def read_content(answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    """Return the `data` of a success.

    Raises:
        NovuError: the meaning of any other answer. After `NovuUnanswered`, or `NovuUnavailable` with `unsure`, Novu may have accepted
            something.
    """
    status = answer.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        pause = read_pause(answer, "Retry-After") or read_pause(answer, "RateLimit-Reset")
        raise NovuThrottled(pause or USUAL_PAUSE)
    if status in UNAVAILABLE:
        raise NovuUnavailable(str(status), read_pause(answer, "Retry-After"), unsure=status in UNSURE)
    if status in UNANSWERED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Novu stores its own 500 for a day under the idempotency key; other statuses may come from a proxy.
        raise NovuUnanswered(str(status), answered=status == HTTPStatus.INTERNAL_SERVER_ERROR)
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        body = None
    if not answer.is_success:
        raise _to_error(status, body)
    if not isinstance(body, dict) or "data" not in body:
        raise NovuUnanswered("malformed answer")
    return body["data"]


def read_outcome(item: object) -> Outcome:
    """Return the outcome of one event; only the status `processed` means accepted."""
    status = item.get("status") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(status, str):
        return Unknown(NovuUnanswered("malformed answer"))
    if status == "processed":
        return Accepted()
    return Refused(NovuRejected(HTTPStatus.CREATED, _read_reason(item)))


def to_outcome(error: NovuError) -> Outcome:
    """Return the outcome of a call that raised this error."""
    return Unknown(error) if isinstance(error, NovuUnanswered) else Refused(error)


def match_items(transaction_ids: list[str], items: list[Any]) -> list[Any]:
    """Return the item of each event of a bulk call, by transaction id, else by position; None if unsure."""
    ours = set(transaction_ids)
    names = [_read_id(item) for item in items]
    named = dict(zip(names, items, strict=True))
    unnamed = [None if name in ours else item for name, item in zip(names, items, strict=True)]
    if len(items) != len(transaction_ids):
        unnamed = [None] * len(transaction_ids)
    return [named.get(name, item) for name, item in zip(transaction_ids, unnamed, strict=True)]


def read_remaining(answer: httpx.Response) -> int | None:
    """Return how many calls the rate limit still allows; None if the answer does not contain it."""
    header = answer.headers.get("RateLimit-Remaining", "")
    return int(float(header)) if _SECONDS.fullmatch(header) else None


def read_pause(answer: httpx.Response, header: str) -> timedelta | None:
    """Return the pause in a header, given in seconds or as a date, within our bounds; None if there is none."""
    text = answer.headers.get(header, "")
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(timedelta(seconds=seconds), SHORTEST_PAUSE), LONGEST_PAUSE)


def _read_id(item: object) -> str | None:
    name = item.get("transactionId") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def _to_error(status: int, body: object) -> NovuError:
    """Return the error of a 3xx or 4xx.

    Only a JSON answer with a status in `REJECTED` is about the event; any other means a wrong key or address.
    """
    if status not in REJECTED or not isinstance(body, dict):
        return NovuUnauthorized(status)
    if "is being reused" in str(body.get("message")):
        # Our key is built from the transaction id and the body's hash, so an earlier call of this
        # transaction was sent, and its outcome is unknown.
        return NovuUnanswered("idempotency key in use for another body")
    return NovuRejected(status, _read_reason(body))


def _read_reason(body: Mapping[str, Any]) -> str:
    """Return Novu's code for a refusal, or the invalid fields; never its prose, which may quote a value."""
    for name in ("type", "error", "message", "status"):
        value = body.get(name)
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str) and _CODE.fullmatch(word):
                return word
    errors = body.get("errors")
    fields = sorted(filter(_FIELD.fullmatch, errors)) if isinstance(errors, dict) else []
    return "fields: " + ", ".join(fields[:_MOST_FIELDS]) if fields else "unspecified"
