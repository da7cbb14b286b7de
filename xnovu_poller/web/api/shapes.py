"""The shapes of notifications in requests and answers; the database keeps the bounds that depend on rows."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, FailFast, Field

from xnovu_poller.lifecycle import Channel, Status
from xnovu_poller.web.api.operation import Shape

MOST_NOTIFICATIONS = 1000
"""The longest list of one request."""

Id = Annotated[int, Field(ge=1, le=2**63 - 1)]


def _fit(least: int, most: int) -> AfterValidator:
    """Return a validator of a text that PostgreSQL can store, of a length in bytes."""

    def check(value: str) -> str:
        if "\0" in value:
            raise ValueError("must not have the character U+0000")
        if not least <= len(value.encode()) <= most:
            raise ValueError(f"must have {least} to {most} bytes")
        return value

    return AfterValidator(check)


# The lengths stand in the document too; the bytes decide.
Key = Annotated[str, Field(min_length=1, max_length=255), _fit(1, 255)]
DedupKey = Annotated[str, Field(min_length=1, max_length=1024), _fit(1, 1024)]
Name = Annotated[str, Field(max_length=1000), _fit(0, 4000)]
Searched = Annotated[str, Field(max_length=255), _fit(0, 1020)]
SubscriberId = Annotated[str, Field(min_length=1, max_length=255), _fit(1, 255)]
JsonObject = dict[str, Any]
Unkept = Annotated[JsonObject, AfterValidator(lambda _: {})]
"""An object that PostgreSQL gets as it came; in Python it would take twenty times as much memory."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)")


def _read_moment(value: object) -> object:
    # RFC 3339; what pydantic reads besides, PostgreSQL may read in another way.
    if isinstance(value, str) and not _MOMENT.fullmatch(value):
        raise ValueError("must be a time such as 2030-01-31T09:00:00+01:00")
    return datetime.fromisoformat(value.upper()) if isinstance(value, str) else value


Moment = Annotated[AwareDatetime, BeforeValidator(_read_moment, json_schema_input_type=datetime)]


class NewNotification(Shape):
    """A notification to be sent. Its members are the arguments of `notify.enqueue`."""

    workflow_key: Key = Field(description="the workflow; the enterprise's own wins over a global one")
    recipients: Annotated[list[SubscriberId], FailFast()] = Field(
        min_length=1, max_length=10_000, description="Novu subscriber ids, or `topic:KEY`"
    )
    payload: Unkept | None = Field(default=None, description="for Novu and for templates")
    name: Name | None = Field(default=None, description="a label for people; the key of the workflow")
    channels: list[Channel] | None = Field(
        default=None, min_length=1, max_length=5, description="those of the workflow, if it is left out"
    )
    overrides: JsonObject | None = Field(default=None, description="settings for Novu's providers")
    tags: list[Name] | None = Field(default=None, max_length=100)
    priority: int | None = Field(default=None, ge=0, le=9, description="higher first")
    dedup_key: DedupKey | None = Field(
        default=None, description="the same key again is the same notification"
    )
    scheduled_for: Moment | None = Field(default=None, description="not before this time")
    expires_at: Moment | None = Field(default=None, description="not after this time")
    locale: str | None = Field(default=None, max_length=100)
    time_zone: str | None = Field(default=None, max_length=100)
    actor: SubscriberId | None = Field(default=None, description="the subscriber who caused it")
    context: JsonObject | None = Field(default=None, description="Novu's contexts")
    exclude: list[SubscriberId] | None = Field(default=None, min_length=1, max_length=1000)
    subscribers: dict[str, JsonObject] | None = Field(
        default=None, description="profiles of recipients; the enterprise needs a `subscriber_prefix`"
    )


NewNotifications = Annotated[list[NewNotification], Field(min_length=1, max_length=MOST_NOTIFICATIONS)]
"""All are inserted or none."""


class Made(Shape):
    """A notification that was inserted, or was there before under its key."""

    id: Id
    created: bool = Field(description="false: it was there before under its dedup_key")


class MadeMany(Shape):
    """The notifications of a list, in its order."""

    notifications: list[Made]


class Listed(Shape):
    """A notification in a list."""

    id: Id
    created_at: datetime
    workflow_key: str | None
    status: Status
    recipient: str = Field(description="the first of its recipients")
    recipient_count: int
    code: str | None = Field(description="why its last attempt failed")
    message: str | None


class Listing(Shape):
    """A part of a list, the newest first."""

    notifications: list[Listed]
    cursor: str | None = Field(description="where the next part begins; null: this is the end")


class Filter(Shape):
    """Which notifications to list; all filters must hold."""

    state: list[Status] = Field(default=[], description="in one of these; may be repeated")
    code: Searched | None = Field(default=None, description="of the error")
    workflow: Searched | None = Field(default=None, description="the key of the workflow")
    rule: Id | None = Field(default=None, description="the id of the rule that made it")
    tag: Name | None = None
    since: Moment | None = Field(default=None, description="inserted at this time or later")
    until: Moment | None = Field(default=None, description="inserted before this time")
    recipient: Searched | None = None
    limit: int = Field(default=50, ge=1, le=MOST_NOTIFICATIONS)
    cursor: str | None = Field(default=None, max_length=200, description="from the part before")


class Retraction(Shape):
    """Why a notification is retracted."""

    reason: Annotated[str, Field(min_length=1, max_length=1000), _fit(1, 4000)] = "retracted"


class State(Shape):
    """A notification, and the state in which it is now."""

    id: Id
    status: Status


class StoryLine(Shape):
    """What happened."""

    at: datetime | None = Field(description="null: the time is not known")
    source: str
    text: str


class Coming(Shape):
    """What comes next."""

    text: str
    at: datetime | None


class StoryOf(Shape):
    """What became of a notification, why, and what comes next."""

    id: Id
    workflow_key: str | None
    status: Status
    attempt: int
    cause: str
    lines: list[StoryLine]
    next: Coming
    unknown: list[str] = Field(description="what could not be found out")
    transaction_id: str
