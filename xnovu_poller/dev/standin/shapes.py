"""The form of a trigger's body: the members that Novu requires, and its recipients."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xnovu_poller.dev.standin.calls import Json, Refusal, dump, invalid

RECIPIENTS_PER_TRIGGER = 100
EVENTS_PER_BULK = 100
EVENT_BYTES = 512 * 1024
UNKNOWN_ENTERPRISE = "unknown"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One entry of `to`.

    Attributes:
        key: the subscriber's id, or the topic's key.
        topic: whether it is a topic.
        profile: the subscriber's details in the entry.
        exclude: subscribers of a topic that must not be reached.
    """

    key: str
    topic: bool = False
    profile: Mapping[str, Json] = field(default_factory=dict)
    exclude: frozenset[str] = frozenset()


def check_event(event: Json, *, addressed: bool = True) -> dict[str, Json]:
    """Return the body if it is a valid trigger.

    Args:
        event: the body.
        addressed: whether `to` is required; a broadcast has none.

    Raises:
        Refusal: 422 with every invalid field.
    """
    members = event if isinstance(event, dict) else {}
    errors = dict(_text_faults(members))
    if addressed and members.get("to") in (None, "", {}):
        errors["to"] = ["to should not be null or undefined"]
    for name in ("payload", "overrides"):
        if not isinstance(members.get(name, {}), dict | None):
            errors[name] = [f"{name} must be an object"]
    if isinstance(members.get("to"), list) and len(members["to"]) > RECIPIENTS_PER_TRIGGER:
        errors["to"] = [f"to must contain no more than {RECIPIENTS_PER_TRIGGER} elements"]
    if errors:
        raise invalid(errors)
    return members


def _text_faults(members: Mapping[str, Json]) -> Iterator[tuple[str, list[str]]]:
    if not isinstance(members.get("name"), str) or not members["name"]:
        yield "name", ["name should not be null or undefined", "name must be a string"]
    if not isinstance(members.get("transactionId"), str | None):
        yield "transactionId", ["transactionId must be a string"]


def check_size(event: Json, where: str) -> None:
    """Refuse an event that is too large without its attachments.

    Raises:
        Refusal: 413 it is too large.
    """
    if isinstance(event, dict) and isinstance(event.get("payload"), dict):
        payload = {name: value for name, value in event["payload"].items() if name != "attachments"}
        event = {**event, "payload": payload}
    if len(dump(event)) > EVENT_BYTES:
        raise Refusal(413, f"{where} exceeds {EVENT_BYTES} bytes")


def read_recipients(to: Json) -> list[Recipient]:
    """Return the recipients in `to`, an entry or a list, each once and in order.

    Raises:
        Refusal: 422 an entry is neither a subscriber nor a topic.
    """
    entries = to if isinstance(to, list) else [to]
    read = [_read_recipient(entry) for entry in entries]
    return list({(recipient.topic, recipient.key): recipient for recipient in read}.values())


def _read_recipient(entry: Json) -> Recipient:
    if isinstance(entry, str) and entry:
        return Recipient(entry)
    if isinstance(entry, dict):
        topic, subscriber = entry.get("topicKey"), entry.get("subscriberId")
        if isinstance(topic, str) and topic and entry.get("type") == "Topic":
            return Recipient(topic, topic=True, exclude=frozenset(map(str, entry.get("exclude") or ())))
        if isinstance(subscriber, str) and subscriber:
            return Recipient(subscriber, profile=entry)
    raise invalid({"to": ["an entry addresses neither a subscriber nor a topic"]})


def read_enterprise(event: Mapping[str, Json]) -> str:
    """Return the enterprise in the payload, or "unknown"."""
    name = _read_ours(event).get("enterprise_id")
    return name if isinstance(name, str) and name else UNKNOWN_ENTERPRISE


def read_notification(event: Mapping[str, Json]) -> int | None:
    """Return the id of the row in the payload, or None."""
    id_ = _read_ours(event).get("notification_id")
    return id_ if isinstance(id_, int) else None


def read_channels(event: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the channels in the payload."""
    channels = _read_ours(event).get("channels")
    return tuple(map(str, channels)) if isinstance(channels, list) else ()


def read_rendered(event: Mapping[str, Json]) -> dict[str, dict[str, Json]]:
    """Return the rendered text in the payload, by channel."""
    rendered = _read_ours(event).get("rendered")
    if not isinstance(rendered, dict):
        return {}
    return {channel: text for channel, text in rendered.items() if isinstance(text, dict)}


def _read_ours(event: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return what the worker added to the payload."""
    payload = event.get("payload")
    ours = payload.get("xnovu") if isinstance(payload, dict) else None
    return ours if isinstance(ours, dict) else {}
