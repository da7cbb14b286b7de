"""Translate Novu's answers, statuses and bodies, to outcomes and errors."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from xnovu_poller.errors import (
    NovuBlocked,
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

LONGEST_MESSAGE = 500
"""The most characters of a message of Novu that reach a person."""

# A gateway answers 502 and 504 if Novu's answer broke off or never came, and Cloudflare 520 to 530: Novu may have the request.
UNSURE = frozenset({502, 504, *range(520, 531)})
# A server answers 425 and 503 before it handles the request.
UNAVAILABLE = UNSURE | {425, 503}
# 408 may come from a proxy that has forwarded the request; 409 means that the same call is still running.
UNANSWERED = frozenset({408, 409})
REJECTED = frozenset({400, 413, 415, 422})

CODES = frozenset(
    {
        "invalid_recipients",
        "no_tenant_found",
        "no_workflow_active_steps_defined",
        "no_workflow_steps_defined",
        "PAYLOAD_VALIDATION_ERROR",
        "subscriber_id_missing",
        "trigger_not_active",
        "workflow_not_found",
    }
)
"""The codes of Novu that may reach a row: any other word of an answer may be a recipient or a part of a payload."""

FIELDS = frozenset({"actor", "context", "name", "overrides", "payload", "tenant", "to", "transactionId"})
"""The members of a trigger; the rest of a path, as in `to.0.subscriberId`, may contain a value."""

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def read_content(answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    """Return the `data` of a success.

    Raises:
        NovuError: the meaning of any other answer. After `NovuUnanswered`, or `NovuUnavailable` with `unsure`, Novu may have accepted
            something.
    """
    status = answer.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise _to_throttled(answer)
    if status in UNAVAILABLE:
        raise NovuUnavailable(str(status), read_pause(answer, "Retry-After"), unsure=status in UNSURE)
    if status < HTTPStatus.OK or status in UNANSWERED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
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


def read_message(answer: httpx.Response) -> str | None:
    """Return Novu's message of a refusal in its own form, on one line and cut; None for any other answer.

    It may quote the call: use it only for calls that contain no recipient and no payload.
    """
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return None
    if not 400 <= answer.status_code < 500 or not isinstance(body, dict) or not _is_novus(body):  # noqa: PLR2004 - refusals
        return None
    errors = body.get("errors")
    text = json.dumps([body.get("message"), *([errors] if errors else [])], ensure_ascii=False)
    return "".join(character for character in text[1:-1] if character.isprintable())[:LONGEST_MESSAGE]


def read_outcome(item: object, transaction_id: str) -> Outcome:
    """Return the outcome of one event; only the status `processed` means accepted.

    Args:
        item: Novu's answer to the event.
        transaction_id: the event's; an answer that names another is not the answer to this event.
    """
    status = item.get("status") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(status, str):
        return Unknown(NovuUnanswered("malformed answer"))
    if item.get("transactionId", transaction_id) != transaction_id:
        return Unknown(NovuUnanswered("an answer to another transaction"))
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


def _to_throttled(answer: httpx.Response) -> NovuError:
    """Return the error of a 429; a page without a pause may be a firewall's answer to this notification only."""
    pause = read_pause(answer, "Retry-After") or read_pause(answer, "RateLimit-Reset")
    if pause is None and answer.headers.get("Content-Type", "").startswith("text/html"):
        return NovuBlocked(HTTPStatus.TOO_MANY_REQUESTS)
    return NovuThrottled(pause or USUAL_PAUSE)


def _to_error(status: int, body: object) -> NovuError:
    """Return the error of a 3xx or 4xx: only an answer in Novu's own form is Novu's word."""
    if not isinstance(body, dict) or not _is_novus(body):
        return NovuBlocked(status)
    if status not in REJECTED:
        return NovuUnauthorized(status)
    if "is being reused" in str(body.get("message")):
        # Our key is built from the transaction id and the body's hash, so an earlier call of this
        # transaction was sent, and its outcome is unknown.
        return NovuUnanswered("idempotency key in use for another body")
    return NovuRejected(status, _read_reason(body))


def _is_novus(body: Mapping[str, Any]) -> bool:
    """Return whether an error has Novu's form, which no gateway's JSON has, or contains one of Novu's codes."""
    has_form = isinstance(body.get("statusCode"), int) and all(
        isinstance(body.get(name), str) for name in ("timestamp", "path")
    )
    return has_form or any(word in CODES for word in _read_words(body))


def _read_words(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of an answer in which Novu may name its code."""
    for name in ("type", "error", "message", "status"):
        value = body.get(name)
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str):
                yield word


def _read_reason(body: Mapping[str, Any]) -> str:
    """Return Novu's code for a refusal, or the invalid members of the trigger; never a word that may quote a value."""
    if code := next((word for word in _read_words(body) if word in CODES), None):
        return code
    errors = body.get("errors")
    paths = errors if isinstance(errors, dict) else {}
    fields = sorted({str(path).partition(".")[0] for path in paths} & FIELDS)
    return "fields: " + ", ".join(fields) if fields else "unspecified"
