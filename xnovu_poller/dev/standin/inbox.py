"""What the page shows: the triggers that match, the messages of each, and who gets them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from itertools import islice

from xnovu_poller.dev.standin.calls import Json, dump
from xnovu_poller.dev.standin.faults import read_addresses
from xnovu_poller.dev.standin.ledger import AcceptedTrigger
from xnovu_poller.dev.standin.messages import show
from xnovu_poller.dev.standin.shapes import read_notification

Find = Callable[[str], Mapping[str, Json] | None]
"""Returns the profile of a subscriber."""

SHOWN = 50
SHOWN_AT_MOST = 500
PEOPLE_NAMED = 10
PEOPLE_FOUND = 24
SNIPPET = 140
NO_CHANNEL = "unknown channel"

CHANNELS = ("in_app", "email", "sms", "push", "chat")
"""The order of the channels on the page; others follow by name."""

_TAG = re.compile(r"<(style|script|title)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What somebody wants to see; None for any.

    Attributes:
        person: a subscriber, whose inbox is shown.
        find: a part of the id, the name or an address of people.
        before: only triggers that are older than this number.
    """

    person: str | None = None
    find: str | None = None
    enterprise: str | None = None
    channel: str | None = None
    before: int | None = None
    limit: int = SHOWN

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Query":
        """Read the query of an address; what cannot be read counts as absent."""
        before, limit = _to_number(query.get("before")), _to_number(query.get("limit"))
        return cls(
            person=query.get("person") or None,
            find=(query.get("find") or "").strip() or None,
            enterprise=query.get("enterprise") or None,
            channel=query.get("channel") or None,
            before=before,
            limit=min(limit or SHOWN, SHOWN_AT_MOST),
        )

    def matches(self, trigger: AcceptedTrigger) -> bool:
        """Return whether a trigger matches."""
        return (
            (self.before is None or trigger.number < self.before)
            and self.enterprise in {None, trigger.enterprise}
            and (self.person is None or self.person in trigger.subscribers)
            and (self.channel is None or self.channel in list_channels(trigger))
        )


@dataclass(frozen=True, slots=True)
class Message:
    """What some people see of a trigger in one channel.

    Attributes:
        subject: None if the channel or the text has none.
        body: None if Novu holds the text.
        people: who see it.
    """

    channel: str
    subject: str | None
    body: str | None
    people: tuple[str, ...]

    @property
    def is_markup(self) -> bool:
        """Whether the body is HTML: mails always, texts of the inbox if they have tags."""
        body = self.body or ""
        return self.channel == "email" or (self.channel == "in_app" and bool(_MARKUP.search(body)))

    @property
    def snippet(self) -> str:
        """The first words of the body, without markup."""
        body = (self.body or "")[: 40 * SNIPPET]
        text = unescape(_TAG.sub(" ", body)) if self.is_markup else body
        words = " ".join(text.split())
        return words if len(words) <= SNIPPET else f"{words[:SNIPPET]}…"


@dataclass(frozen=True, slots=True)
class Entry:
    """A trigger with its messages.

    Attributes:
        notification: the row that it is for; None if the payload does not name it.
        people: the first subscribers, or the addresses of a trigger that reached nobody.
        more: how many people are not in `people`.
    """

    trigger: AcceptedTrigger
    notification: int | None
    people: tuple[str, ...]
    more: int
    messages: tuple[Message, ...] = field(repr=False)


def find_entries(triggers: Sequence[AcceptedTrigger], query: Query, find: Find) -> tuple[list[Entry], bool]:
    """Return the latest triggers that match, newest first, and whether there are older triggers."""
    chosen = (trigger for trigger in reversed(triggers) if query.matches(trigger))
    shown = list(islice(chosen, query.limit + 1))
    entries = [make_entry(trigger, query, find) for trigger in shown[: query.limit]]
    return entries, len(shown) > query.limit


def make_entry(trigger: AcceptedTrigger, query: Query, find: Find) -> Entry:
    """Return a trigger with the messages of the person, or of its first subscribers."""
    event = trigger.body()
    reached = trigger.subscribers or tuple(str(address) for address in read_addresses(event.get("to")))
    people = (query.person,) if query.person else reached[:PEOPLE_NAMED]
    messages = tuple(
        message
        for message in list_messages(trigger, event, people, find)
        if query.channel in {None, message.channel}
    )
    return Entry(trigger, read_notification(event), people, len(reached) - len(people), messages)


def list_messages(
    trigger: AcceptedTrigger, event: Mapping[str, Json], people: Sequence[str], find: Find
) -> Iterator[Message]:
    """Return the messages; people who see the same texts share them, because a step may show a part of a profile."""
    groups: dict[bytes, tuple[dict[str, Json], list[str]]] = {}
    for person in people or ("",):
        texts = show(trigger, event, find(person) or {})
        groups.setdefault(dump(texts), (texts, []))[1].append(person)
    for texts, names in groups.values():
        for channel in order_channels(texts or list_channels(trigger)):
            text = texts.get(channel, {})
            subject, body = (_to_text(text.get(name)) for name in ("subject", "body"))
            yield Message(channel, subject, body, tuple(names))


def group_by_channel(entries: Iterable[Entry]) -> dict[str, list[tuple[Entry, Message]]]:
    """Return the messages by channel: the inbox of a person."""
    panels: dict[str, list[tuple[Entry, Message]]] = {}
    for entry in entries:
        for message in entry.messages:
            panels.setdefault(message.channel, []).append((entry, message))
    return {channel: panels[channel] for channel in order_channels(panels)}


def count_messages(triggers: Iterable[AcceptedTrigger]) -> Counter[tuple[str, str]]:
    """Return the number of delivered messages by enterprise and channel."""
    counts: Counter[tuple[str, str]] = Counter()
    for trigger in triggers:
        for channel in list_channels(trigger):
            counts[trigger.enterprise, channel] += len(trigger.subscribers)
    return counts


def find_people(triggers: Sequence[AcceptedTrigger], query: Query, find: Find) -> list[tuple[str, int]]:
    """Return the people who match with the number of their triggers, those who were reached last first."""
    counts: Counter[str] = Counter()
    for trigger in reversed(triggers):
        if query.enterprise in {None, trigger.enterprise}:
            counts.update(trigger.subscribers)
    sought = (query.find or "").casefold()
    return [
        (person, count)
        for person, count in counts.items()
        if sought in describe_person(person, find(person) or {}).casefold()
    ]


def describe_person(person: str, profile: Mapping[str, Json]) -> str:
    """Return a subscriber's id, and what its profile has of a name and addresses."""
    details = [profile.get(member) for member in ("firstName", "lastName", "email", "phone")]
    known = " ".join(detail for detail in details if isinstance(detail, str))
    return f"{person} ({known})" if known else person


def list_channels(trigger: AcceptedTrigger) -> tuple[str, ...]:
    """Return a trigger's channels, or a placeholder if they are unknown."""
    return trigger.channels or (NO_CHANNEL,)


def order_channels(channels: Iterable[str]) -> list[str]:
    """Return channels in the order of the page."""
    order = {channel: number for number, channel in enumerate(CHANNELS)}
    return sorted(channels, key=lambda channel: (order.get(channel, len(order)), channel))


def _to_text(value: Json) -> str | None:
    return None if value is None or value == "" else str(value)


def _to_number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004 - no number of a trigger is longer
