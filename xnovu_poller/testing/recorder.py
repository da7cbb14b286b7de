"""Gather notifications instead of writing them."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from xnovu_poller.client.errors import DuplicateRefused
from xnovu_poller.client.notification import Enqueued, Notification, to_json
from xnovu_poller.client.recording import RECORDERS

_Content = tuple[str, list[str], Any]


class Recorder:
    """The notifications that would have been written, in their order.

    It answers as PostgreSQL would: ids rise, and a repeated `dedup_key` of an enterprise gets the id of the first. It knows
    neither your workflows nor the bounds of values, and what your program rolls back stays recorded: see `enqueued`.
    """

    def __init__(self) -> None:
        self._taken: list[tuple[str | None, Notification]] = []
        self._keys: dict[tuple[str | None, str], tuple[int, _Content]] = {}

    @property
    def notifications(self) -> list[Notification]:
        """All of them."""
        return [notification for _, notification in self._taken]

    def of(self, enterprise: str) -> list[Notification]:
        """Return the notifications of an enterprise; over HTTP the key names the enterprise, and this list lacks them."""
        return [notification for owner, notification in self._taken if owner == enterprise]

    def take(self, notifications: Iterable[Notification], enterprise: str | None) -> list[Enqueued]:
        """Gather notifications; the client calls it instead of PostgreSQL or the API.

        Raises:
            NotificationRefused: a notification cannot be written as JSON, or its key is that of another.
        """
        given = list(notifications)
        to_json(given)
        return [self._take(each, enterprise) for each in given]

    def _take(self, notification: Notification, enterprise: str | None) -> Enqueued:
        number = len(self._taken) + 1
        if notification.dedup_key is not None:
            found, content = self._keys.setdefault(
                (enterprise, notification.dedup_key), (number, _content(notification))
            )
            if content != _content(notification):
                raise DuplicateRefused(
                    f"notification: the dedup_key is that of notification {found}, which has another workflow, payload or"
                    " other recipients",
                    "Write another dedup_key for another notification.",
                )
            if found != number:
                return Enqueued(found, is_new=False)
        self._taken.append((enterprise, notification))
        return Enqueued(number, is_new=True)


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Let the clients of this process gather notifications instead of writing them.

    It holds for all threads and tasks; within another `recorded`, the inner one gathers.
    """
    recorder = Recorder()
    RECORDERS.append(recorder)
    try:
        yield recorder
    finally:
        RECORDERS.remove(recorder)


def _content(notification: Notification) -> _Content:
    """Return what a repetition must have in common with the first."""
    recipients = list(dict.fromkeys(each.strip() for each in notification.recipients))
    payload = {name: value for name, value in notification.payload.items() if name != "xnovu_trace"}
    return notification.workflow_key, recipients, json.loads(json.dumps(payload))
