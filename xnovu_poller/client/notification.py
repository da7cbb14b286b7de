"""The words of a producer: a notification to write, and what became of the call."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from datetime import datetime
from typing import Any

from xnovu_poller.client.errors import NotificationRefused

_LISTS = ("recipients", "channels", "tags", "exclude")
_TIMES = ("scheduled_for", "expires_at")


@dataclass(frozen=True)
class Notification:
    """A notification to enqueue; the fields are the arguments of `notify.enqueue`.

    Attributes:
        workflow_key: the workflow; the enterprise's own wins over a global workflow with the same key.
        recipients: Novu subscriber ids, or `topic:KEY` for a topic.
        payload: a JSON object, for Novu and for templates.
        name: a label for people; None: the workflow's key.
        channels: IN_APP, EMAIL, SMS, CHAT, PUSH; None: those of the workflow.
        overrides: a JSON object for Novu.
        tags: for your own use.
        priority: 0 to 9, higher first.
        dedup_key: the same key is written once; a call that repeats it gets the id of the first.
        scheduled_for: do not send before this time, which has an offset.
        expires_at: do not send after this time, which has an offset.
        locale: the language of its texts; None: the enterprise's.
        time_zone: the zone of the times in its texts; None: the enterprise's.
        actor: the subscriber id of who caused it.
        context: Novu's contexts.
        exclude: subscriber ids that topics among the recipients do not reach.
        subscribers: profiles of recipients, by id.
    """

    workflow_key: str
    recipients: Sequence[str] = field(repr=False)
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _: KW_ONLY
    name: str | None = None
    channels: Sequence[str] | None = None
    overrides: Mapping[str, Any] | None = field(default=None, repr=False)
    tags: Sequence[str] | None = None
    priority: int = 0
    dedup_key: str | None = None
    scheduled_for: datetime | None = None
    expires_at: datetime | None = None
    locale: str | None = None
    time_zone: str | None = None
    actor: str | None = None
    context: Mapping[str, Any] | None = field(default=None, repr=False)
    exclude: Sequence[str] | None = None
    subscribers: Mapping[str, Any] | None = field(default=None, repr=False)


NAMES = tuple(each.name for each in fields(Notification))
"""The fields in their order."""


@dataclass(frozen=True)
class Enqueued:
    """What became of a call.

    Attributes:
        id: the notification, for `notify.retract` and `xnovu notification show`.
        is_new: this call's transaction wrote it; False: an earlier call with the same `dedup_key` did.
    """

    id: int
    is_new: bool


def to_json(notifications: Iterable[Notification]) -> str:
    """Return a JSON list of the notifications; an absent value is left out.

    Raises:
        NotificationRefused: one of them cannot be written as JSON; the sentence names the field.
    """
    return f"[{', '.join(map(_object, notifications))}]"


def _object(notification: Notification) -> str:
    members = ((name, getattr(notification, name)) for name in NAMES)
    return (
        "{"
        + ", ".join(f'"{name}": {_value(name, value)}' for name, value in members if value is not None)
        + "}"
    )


def _value(name: str, value: object) -> str:
    if name in _LISTS:
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise NotificationRefused(
                f"notification: {name} is not a list", "write a list, also of a single entry"
            )
        value = list(value)
    elif name in _TIMES:
        if not isinstance(value, datetime) or value.utcoffset() is None:
            raise NotificationRefused(f"notification: {name} has no offset", "write a datetime with a tzinfo")
        value = value.isoformat()
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        # The cause may print a value.
        raise NotificationRefused(
            f"notification: {name} cannot be written as JSON",
            "use objects, lists, texts, finite numbers and None",
        ) from None
