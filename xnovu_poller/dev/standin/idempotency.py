"""The `Idempotency-Key` store: it keeps one answer for each key, errors too, for a day."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from xnovu_poller.dev.standin.calls import Answer, Json, Refusal, dump

KEY_LENGTH = 255
METHODS = frozenset({"POST", "PATCH"})
ANSWERED_SECONDS = 24 * 3600
IN_PROGRESS_SECONDS = 5 * 60


@dataclass(slots=True)
class Entry:
    """The state of a key; while `answer` is None, its call is in progress."""

    body_hash: bytes
    expires_at: float
    answer: Answer | None = None


class Idempotency:
    """Answers by key. As with Novu, a key is valid for all paths and the whole organisation."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, Entry] = {}

    def clear(self) -> None:
        """Forget every key."""
        self._entries.clear()

    def begin(self, key: str, body: Json) -> Answer | None:
        """Mark a key as in progress, or return its stored answer.

        Returns:
            The stored answer, marked as a replay; None for a new key, which the caller must then `finish`.

        Raises:
            Refusal: 400 the key is too long; 409 its first call is in progress; 422 its first call had
                another body.
        """
        if len(key) > KEY_LENGTH:
            raise Refusal(400, f"idempotency-key exceeds {KEY_LENGTH} characters")
        now = self._clock()
        body_hash = hashlib.sha256(dump(body)).digest()
        entry = self._entries.get(key)
        if entry is None or entry.expires_at <= now:
            self._entries[key] = Entry(body_hash, now + IN_PROGRESS_SECONDS)
            return None
        header = {"Idempotency-Key": key}
        if entry.answer is None:
            raise Refusal(
                409,
                f'Request with key "{key}" is still in progress, retry after 1 second',
                {**header, "Retry-After": "1"},
            )
        if entry.body_hash != body_hash:
            raise Refusal(422, f'Request with key "{key}" is being reused for a different body', header)
        return entry.answer.with_headers({**header, "Idempotency-Replay": "true"})

    def finish(self, key: str, answer: Answer) -> Answer:
        """Store the answer, success or error, and return it with the key's header."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.answer = answer
            entry.expires_at = self._clock() + ANSWERED_SECONDS
        return answer.with_headers({"Idempotency-Key": key})
