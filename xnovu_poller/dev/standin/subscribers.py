"""The subscribers of the environment, and the calls that manage them."""

import time
import uuid
from collections.abc import Callable, Mapping

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

PROFILE = ("firstName", "lastName", "email", "phone", "avatar", "locale", "timezone", "data")
SUBSCRIBERS_PER_BULK = 500
ENVIRONMENT = {"_organizationId": "standin-organization", "_environmentId": "standin-environment"}


class Subscribers:
    """Subscribers by id."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: dict[str, dict[str, Json]] = {}

    def clear(self) -> None:
        """Forget all subscribers."""
        self._known.clear()

    def ids(self) -> list[str]:
        """Return every id, in the order of creation."""
        return list(self._known)

    def find(self, subscriber_id: str) -> dict[str, Json] | None:
        """Return a subscriber, or None if there is none of this id."""
        return self._known.get(subscriber_id)

    def upsert(self, subscriber_id: str, profile: Mapping[str, Json]) -> bool:
        """Create or update a subscriber; return whether it is new."""
        given = {name: profile[name] for name in PROFILE if name in profile}
        known = self._known.get(subscriber_id)
        if known is not None and not given:
            return False
        now = format_ms(int(self._clock() * 1000))
        self._known[subscriber_id] = {
            **(known or _new(subscriber_id, now)),
            **given,
            "updatedAt": now,
        }
        return known is None

    def create(self, call: Call) -> Answer:
        """POST /v2/subscribers."""
        subscriber_id = _subscriber_id(call.fields())
        there = self.find(subscriber_id)
        if there is not None and call.query.get("failIfExists") == "true":
            # In Novu's OpenAPI document this error has the form of a subscriber.
            raise Refusal(409, "Subscriber with the given id already exists", **there)
        self.upsert(subscriber_id, call.fields())
        return success(201, self._known[subscriber_id])

    def create_bulk(self, call: Call) -> Answer:
        """POST /v1/subscribers/bulk: only the invalid subscribers fail."""
        entries = call.fields().get("subscribers")
        if not isinstance(entries, list) or not 1 <= len(entries) <= SUBSCRIBERS_PER_BULK:
            raise invalid({"subscribers": [f"subscribers must hold 1 to {SUBSCRIBERS_PER_BULK} elements"]})
        result: dict[str, list[dict[str, str]]] = {"updated": [], "created": [], "failed": []}
        for entry in entries:
            try:
                subscriber_id = _subscriber_id(entry if isinstance(entry, dict) else {})
            except Refusal:
                result["failed"].append({"message": "subscriberId is missing"})
                continue
            new = self.upsert(subscriber_id, entry)
            result["created" if new else "updated"].append({"subscriberId": subscriber_id})
        return success(201, result)

    def get(self, call: Call) -> Answer:
        """GET /v2/subscribers/{subscriberId}."""
        return success(200, self._require(call))

    def patch(self, call: Call) -> Answer:
        """PATCH /v2/subscribers/{subscriberId}."""
        subscriber_id = self._require(call)["subscriberId"]
        self.upsert(subscriber_id, call.fields())
        return success(200, self._known[subscriber_id])

    def delete(self, call: Call) -> Answer:
        """DELETE /v2/subscribers/{subscriberId}."""
        del self._known[self._require(call)["subscriberId"]]
        return success(200, {"acknowledged": True, "status": "deleted"})

    def list(self, call: Call) -> Answer:
        """GET /v2/subscribers: filtered by exact email, phone and subscriberId, and by name."""
        exact = {
            name: call.query[name] for name in ("email", "phone", "subscriberId") if call.query.get(name)
        }
        name = call.query.get("name", "").lower()
        found = [
            known
            for known in self._known.values()
            if all(known.get(field) == value for field, value in exact.items())
            and name in f"{known.get('firstName') or ''} {known.get('lastName') or ''}".lower()
        ]
        return success(200, paginate(found, call.query))

    def _require(self, call: Call) -> dict[str, Json]:
        known = self.find(call.names["subscriberId"])
        if known is None:
            raise Refusal(404, "Subscriber not found")
        return known


def _new(subscriber_id: str, now: str) -> dict[str, Json]:
    return {
        "_id": uuid.uuid4().hex[:24],
        **ENVIRONMENT,
        "subscriberId": subscriber_id,
        "deleted": False,
        "createdAt": now,
    }


def _subscriber_id(members: Mapping[str, Json]) -> str:
    subscriber_id = members.get("subscriberId")
    if not isinstance(subscriber_id, str) or not subscriber_id.strip():
        raise invalid({"subscriberId": ["subscriberId should not be empty", "subscriberId must be a string"]})
    return subscriber_id
