"""One trigger, encoded as the same bytes each time."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from json import JSONDecoder
from json.encoder import encode_basestring as quote

from xnovu_poller.errors import NovuRejected
from xnovu_poller.lifecycle import Origin

EVENT_BYTES = 524_288
"""The largest event that Novu accepts, without attachments. Source: Novu, "Trigger event"."""

PUSH_BYTES = 4_096
"""The largest message of APNs and FCM, which get the whole payload from Novu, and the text once more.

Source: Apple, "Creating the remote notification payload"; Google, "About FCM messages".
"""

_TOPIC = "topic:"


@dataclass  # not frozen: ADR 12
class Event:
    """One trigger: one workflow for at most 100 recipients.

    Attributes:
        workflow_key: Novu's name of the workflow.
        recipients: subscriber ids, unique; `topic:KEY` addresses a topic.
        payload: the variables of the workflow's templates, a JSON object that is sent byte for byte.
        overrides: Novu's overrides, likewise; None for none.
        transaction_id: Novu drops a repeat of it; the same at every attempt.
        refusals: the definite refusals so far. They change the key, because Novu repeats a stored error.
        origin: the sender, for the gate; not part of the call.
        actor: the subscriber who caused it.
        context: Novu's contexts, a JSON object that is sent byte for byte; None for none.
        exclude: the subscribers that topics do not reach.
        push: what PUSH gets in triggers of its own, for the same recipients; None if it needs none.
        profiles: for a subscriber the JSON object of its profile, which Novu creates or updates it by.
    """

    workflow_key: str
    recipients: tuple[str, ...]
    payload: bytes
    overrides: bytes | None
    transaction_id: str
    refusals: int
    origin: Origin
    actor: str | None = None
    context: bytes | None = None
    exclude: tuple[str, ...] = ()
    profiles: Mapping[str, str] = field(default_factory=dict)
    push: "Event | None" = None

    def body(self) -> bytes:
        """Return the request's body, byte-identical each time.

        Raises:
            NovuRejected: it is too large, or nested too deep to be measured.
        """
        return self._body

    @cached_property
    def _body(self) -> bytes:
        to = ",".join(map(self._to_address, self.recipients))
        actor = "" if self.actor is None else f'"actor":{quote(self.actor)},'
        body = b"".join(
            (
                f'{{{actor}"name":{quote(self.workflow_key)},'.encode(),
                b"" if self.context is None else b'"context":' + self.context + b",",
                b"" if self.overrides is None else b'"overrides":' + self.overrides + b",",
                b'"payload":',
                self.payload,
                f',"to":[{to}],"transactionId":{quote(self.transaction_id)}}}'.encode(),
            )
        )
        if len(body) > EVENT_BYTES and len(body) - self._attached() > EVENT_BYTES:
            raise NovuRejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
        return body

    def _to_address(self, recipient: str) -> str:
        if recipient.startswith(_TOPIC):
            exclude = f'"exclude":[{",".join(map(quote, self.exclude))}],' if self.exclude else ""
            return f'{{{exclude}"topicKey":{quote(recipient.removeprefix(_TOPIC))},"type":"Topic"}}'
        profile = self.profiles.get(recipient, "{}")
        if profile == "{}":
            return quote(recipient)
        return f'{{"subscriberId":{quote(recipient)},{profile[1:]}'

    def _attached(self) -> int:
        """Return the bytes of the attachments, which Novu counts by themselves."""
        return len(split_members(self.payload).get("attachments", "").encode())

    def idempotency_key(self) -> str:
        """Return the key of this call; a new key for each value of `refusals`.

        A 500 that Novu answered raises it at the end of the attempt, or at once for a chunk.
        """
        return digest(f"{self.transaction_id}\n{self.refusals}\n".encode() + self.body())


_BETWEEN = re.compile(r"[\s,:]*")


def split_members(document: bytes) -> dict[str, str]:
    """Return the members of a JSON object, each value as its own text, so that no number changes its digits.

    Raises:
        NovuRejected: it is nested too deep.
    """
    try:
        return _split(document.decode())
    except RecursionError:
        raise NovuRejected(HTTPStatus.BAD_REQUEST, "not_json") from None


def _split(text: str) -> dict[str, str]:
    read = JSONDecoder(parse_int=str).raw_decode
    members: dict[str, str] = {}
    at = _skip(text, 1)
    while text[at] != "}":
        name, end = read(text, at)
        start = _skip(text, end)
        _, end = read(text, start)
        members[name] = text[start:end]
        at = _skip(text, end)
    return members


def _skip(text: str, at: int) -> int:
    """Return where the next name or value begins, or the object ends."""
    found = _BETWEEN.match(text, at)
    return at if found is None else found.end()


def digest(text: bytes) -> str:
    """Return the SHA-256 of a text as 64 characters; Novu allows 255 for a key."""
    return hashlib.sha256(text).hexdigest()
