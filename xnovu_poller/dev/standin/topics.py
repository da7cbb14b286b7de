"""The topics of the environment, their subscriptions, and the calls that manage them."""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from xnovu_poller.dev.standin.calls import (
    Answer,
    Call,
    Json,
    Refusal,
    format_ms,
    invalid,
    paginate,
    success,
)
from xnovu_poller.dev.standin.subscribers import Subscribers

KEY = re.compile(r"[A-Za-z0-9_:-]{1,100}|(?=.{1,100}$)[^@\s]+@[^@\s]+\.[^@\s]+")
SUBSCRIPTIONS_PER_CALL = 100
SHOWN_OF_SUBSCRIBER = ("_id", "subscriberId", "firstName", "lastName", "email", "avatar")


@dataclass(slots=True)
class Topic:
    """A topic; `subscriptions` holds (subscriber id, the subscription's `_id`, time) by identifier."""

    shown: dict[str, Json]
    subscriptions: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    def subscribers(self) -> list[str]:
        """Return the subscribers' ids, each once."""
        return list(dict.fromkeys(subscriber for subscriber, _, _ in self.subscriptions.values()))


class Topics:
    """Topics by key."""

    def __init__(self, subscribers: Subscribers, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._subscribers = subscribers
        self._known: dict[str, Topic] = {}

    def clear(self) -> None:
        """Forget all topics."""
        self._known.clear()

    def list_subscribers(self, key: str) -> list[str]:
        """Return a topic's subscribers that still exist; none if the topic is unknown."""
        topic = self._known.get(key)
        return [id_ for id_ in topic.subscribers() if self._subscribers.find(id_)] if topic else []

    def create(self, call: Call) -> Answer:
        """POST /v2/topics: 201 if it is new, 200 if it exists."""
        key = _check_key(call.fields().get("key"))
        there = self._known.get(key)
        if there is not None and call.query.get("failIfExists") == "true":
            # In Novu's OpenAPI document this error has the form of a topic.
            raise Refusal(409, "Topic with the given key already exists", **there.shown)
        topic = self._upsert(key, call.fields().get("name"))
        return success(201 if there is None else 200, topic.shown)

    def get(self, call: Call) -> Answer:
        """GET /v2/topics/{topicKey}."""
        return success(200, self._require(call).shown)

    def patch(self, call: Call) -> Answer:
        """PATCH /v2/topics/{topicKey}."""
        name = call.fields().get("name")
        if not isinstance(name, str):
            raise invalid({"name": ["name must be a string"]})
        return success(200, self._upsert(self._require(call).shown["key"], name).shown)

    def delete(self, call: Call) -> Answer:
        """DELETE /v2/topics/{topicKey}, with its subscriptions."""
        del self._known[self._require(call).shown["key"]]
        return success(200, {"acknowledged": True})

    def list(self, call: Call) -> Answer:
        """GET /v2/topics: filter by parts of key and name."""
        chosen = [
            topic.shown
            for topic in self._known.values()
            if call.query.get("key", "") in topic.shown["key"]
            and call.query.get("name", "").lower() in (topic.shown.get("name") or "").lower()
        ]
        return success(200, paginate(chosen, call.query))

    def list_subscriptions(self, call: Call) -> Answer:
        """GET /v2/topics/{topicKey}/subscriptions."""
        topic = self._require(call)
        wanted = call.query.get("subscriberId")
        chosen = [
            self._describe(topic, identifier)
            for identifier, (subscriber, _, _) in topic.subscriptions.items()
            if wanted in (None, subscriber)
        ]
        return success(200, paginate(chosen, call.query))

    def subscribe(self, call: Call) -> Answer:
        """POST /v2/topics/{topicKey}/subscriptions: creates the topic too; only unknown subscribers fail."""
        entries = _read_entries(call.fields())
        topic = self._upsert(_check_key(call.names["topicKey"]), call.fields().get("name"))
        done, errors = [], []
        for subscriber, given in entries:
            if subscriber is None or self._subscribers.find(subscriber) is None:
                errors.append(_not_found(subscriber or given or ""))
                continue
            identifier = given or f"tk={topic.shown['key']}:si={subscriber}"
            topic.subscriptions.setdefault(identifier, (subscriber, uuid.uuid4().hex[:24], self._now()))
            done.append(self._describe(topic, identifier))
        return success(201, _summarise(done, errors))

    def unsubscribe(self, call: Call) -> Answer:
        """DELETE /v2/topics/{topicKey}/subscriptions."""
        topic = self._require(call)
        done, errors = [], []
        for subscriber, given in _read_entries(call.fields()):
            matching = [
                identifier
                for identifier, (subscribed, _, _) in topic.subscriptions.items()
                if given in (None, identifier) and subscriber in (None, subscribed)
            ]
            if not matching:
                errors.append(_not_found(subscriber or given or ""))
            for identifier in matching:
                done.append(self._describe(topic, identifier))
                del topic.subscriptions[identifier]
        return success(200, _summarise(done, errors))

    def _upsert(self, key: str, name: str | None) -> Topic:
        now = self._now()
        topic = self._known.setdefault(
            key, Topic({"_id": uuid.uuid4().hex[:24], "key": key, "createdAt": now})
        )
        topic.shown["updatedAt"] = now
        if name is not None:
            topic.shown["name"] = name
        return topic

    def _require(self, call: Call) -> Topic:
        topic = self._known.get(call.names["topicKey"])
        if topic is None:
            raise Refusal(404, "Topic not found")
        return topic

    def _describe(self, topic: Topic, identifier: str) -> dict[str, Json]:
        subscriber_id, subscription_id, at = topic.subscriptions[identifier]
        subscriber = self._subscribers.find(subscriber_id) or {
            "_id": subscription_id,
            "subscriberId": subscriber_id,
        }
        return {
            "_id": subscription_id,
            "identifier": identifier,
            "topic": topic.shown,
            "subscriber": {name: subscriber[name] for name in SHOWN_OF_SUBSCRIBER if name in subscriber},
            "createdAt": at,
            "updatedAt": at,
        }

    def _now(self) -> str:
        return format_ms(int(self._clock() * 1000))


def _check_key(key: Json) -> str:
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise invalid({"key": ["key may hold letters, digits, '-', '_', ':' or be an email address"]})
    return key


def _read_entries(members: Mapping[str, Json]) -> list[tuple[str | None, str | None]]:
    """Return (subscriber id, identifier) of each entry; either may be missing."""
    entries = members.get("subscriptions") or members.get("subscriberIds")
    if not isinstance(entries, list) or not 1 <= len(entries) <= SUBSCRIPTIONS_PER_CALL:
        raise invalid({"subscriptions": [f"subscriptions must hold 1 to {SUBSCRIPTIONS_PER_CALL} elements"]})
    return [
        (entry.get("subscriberId"), entry.get("identifier"))
        if isinstance(entry, dict)
        else (str(entry), None)
        for entry in entries
    ]


def _not_found(name: str) -> dict[str, str]:
    return {
        "subscriberId": name,
        "code": "SUBSCRIBER_NOT_FOUND",
        "message": f"Subscriber {name} was not found",
    }


def _summarise(done: list[dict[str, Json]], errors: list[dict[str, str]]) -> dict[str, Json]:
    result: dict[str, Json] = {
        "data": done,
        "meta": {
            "totalCount": len(done) + len(errors),
            "successful": len(done),
            "failed": len(errors),
        },
    }
    return {**result, "errors": errors} if errors else result
