"""One trigger, encoded as the same bytes each time."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

from xnovu_poller.errors import NovuRejected
from xnovu_poller.lifecycle import Origin

EVENT_BYTES = 524_288
"""The largest event that Novu accepts, without attachments. Source: Novu, "Trigger event"."""


@dataclass(frozen=True)
class Event:
    """One trigger: one workflow for at most 100 recipients.

    Attributes:
        workflow_key: Novu's name of the workflow.
        recipients: subscriber ids, unique; `topic:KEY` addresses a topic.
        payload: the variables of the workflow's templates.
        overrides: Novu's overrides; None for none.
        transaction_id: Novu drops a repeat of it; the same at every attempt.
        refusals: the definite refusals so far. They change the key, because Novu repeats a stored error.
        origin: the sender, for the gate; not part of the call.
    """

    workflow_key: str
    recipients: tuple[str, ...]
    payload: Mapping[str, Any]
    overrides: Mapping[str, Any] | None
    transaction_id: str
    refusals: int
    origin: Origin

    def body(self) -> bytes:
        """Return the request's body, byte-identical each time.

        Raises:
            NovuRejected: it is too large, or holds a number that JSON cannot express.
        """
        return self._body

    @cached_property
    def _body(self) -> bytes:
        try:
            body = counted = self._encode(self.payload)
            if len(body) > EVENT_BYTES and "attachments" in self.payload:
                counted = self._encode({k: v for k, v in self.payload.items() if k != "attachments"})
        except (ValueError, RecursionError):  # the message would quote the value
            raise NovuRejected(HTTPStatus.BAD_REQUEST, "not_json") from None
        if len(counted) > EVENT_BYTES:
            raise NovuRejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
        return body

    def idempotency_key(self) -> str:
        """Return the key of this call; a new key for each value of `refusals`.

        A 500 that Novu answered raises it at the end of the attempt, or at once for a chunk.
        """
        return digest(f"{self.transaction_id}\n{self.refusals}\n".encode() + self.body())

    def _encode(self, payload: Mapping[str, Any]) -> bytes:
        trigger: dict[str, Any] = {
            "name": self.workflow_key,
            "to": [_to_address(recipient) for recipient in self.recipients],
            "payload": dict(payload),
            "transactionId": self.transaction_id,
        }
        if self.overrides is not None:
            trigger["overrides"] = dict(self.overrides)
        return json.dumps(
            trigger, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()


def _to_address(recipient: str) -> str | dict[str, str]:
    if recipient.startswith("topic:"):
        return {"type": "Topic", "topicKey": recipient.removeprefix("topic:")}
    return recipient


def digest(text: bytes) -> str:
    """Return the SHA-256 of a text as 64 characters; Novu allows 255 for a key."""
    return hashlib.sha256(text).hexdigest()
