"""Scripted faults: what goes wrong, for which calls, and how often."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict

from xnovu_poller.dev.standin.calls import Answer, Call, Json, Refusal, dump
from xnovu_poller.dev.standin.shapes import read_enterprise

STATUSES = Literal[
    "error",
    "trigger_not_active",
    "no_workflow_active_steps_defined",
    "no_workflow_steps_defined",
    "no_tenant_found",
    "invalid_recipients",
]


class Kind(StrEnum):
    """What goes wrong.

    STATUS: answers `status` (with `body` as text, if given); nothing is accepted.
    THROTTLE: answers 429; nothing is accepted, and nothing is stored under the key.
    HANG_BEFORE_ACCEPT: nothing is accepted, and no answer comes for `seconds`.
    RESET_BEFORE_ACCEPT: nothing is accepted, and the connection is reset.
    SLOW: waits for `seconds`, then continues as usual; meanwhile the key is in progress.
    ACCEPT_THEN_HANG: accepted, and no answer comes for `seconds`.
    ACCEPT_THEN_RESET: accepted, and the connection is reset.
    ACCEPT_THEN_STATUS: accepted, but a proxy answers `status`.
    MALFORMED: accepted, but the answer is cut-off JSON, or `body`.
    VERDICT: 201, but this event's `status` is `verdict` instead of `processed`.
    DISORDER: accepted, but the items of a bulk answer come in reverse order.
    OMIT: accepted, but a bulk answer omits the matching events.
    MUMBLE: accepted, but in a bulk answer the items of the matching events have no `status`.
    """

    STATUS = "status"
    THROTTLE = "throttle"
    HANG_BEFORE_ACCEPT = "hang_before_accept"
    RESET_BEFORE_ACCEPT = "reset_before_accept"
    SLOW = "slow"
    ACCEPT_THEN_HANG = "accept_then_hang"
    ACCEPT_THEN_RESET = "accept_then_reset"
    ACCEPT_THEN_STATUS = "accept_then_status"
    MALFORMED = "malformed"
    VERDICT = "verdict"
    DISORDER = "disorder"
    OMIT = "omit"
    MUMBLE = "mumble"


OF_BULK_CALLS = frozenset({Kind.DISORDER, Kind.OMIT, Kind.MUMBLE})
"""Faults that apply only to bulk calls."""

BULK = "/v1/events/trigger/bulk"


class Match(BaseModel):
    """Selects calls. Every given member must match; `*` and `?` work as in file names.

    Attributes:
        method: the call's method.
        path: the call's path.
        workflow: the workflow of an event in the call.
        transaction_id: the transaction id of an event in the call.
        recipient: a subscriber or topic in an event's `to`.
        enterprise: the enterprise in an event's payload.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str = "POST"
    path: str = "/v1/events/trigger*"
    workflow: str | None = None
    transaction_id: str | None = None
    recipient: str | None = None
    enterprise: str | None = None

    def matches(self, call: Call) -> bool:
        """Return whether the call matches."""
        if not (fnmatchcase(call.method, self.method) and fnmatchcase(call.path, self.path)):
            return False
        given = (self.workflow, self.transaction_id, self.recipient, self.enterprise)
        return all(name is None for name in given) or any(map(self.matches_event, read_events(call.body)))

    def matches_event(self, event: Mapping[str, Json]) -> bool:
        """Return whether the event matches."""
        return (
            _matches(self.workflow, [event.get("name")])
            and _matches(self.transaction_id, [event.get("transactionId")])
            and _matches(self.recipient, read_addresses(event.get("to")))
            and _matches(self.enterprise, [read_enterprise(event)])
        )


class Fault(BaseModel):
    """One scripted fault.

    Attributes:
        match: which calls; "all" for every call.
        kind: what goes wrong.
        times: how often; None for until it is cleared.
        status: for STATUS and ACCEPT_THEN_STATUS.
        cached: for STATUS: True if the API answers, which stores the answer under the `Idempotency-Key`;
            False if a proxy before it answers, which stores nothing.
        body: a text that replaces Novu's error body.
        seconds: for SLOW and the two that hang.
        retry_after: the answer's `Retry-After` header, in seconds.
        verdict: for VERDICT.
    """

    model_config = ConfigDict(extra="forbid")

    match: Match | Literal["all"] = Match()
    kind: Kind
    times: int | None = 1
    status: int = 503
    cached: bool = True
    body: str | None = None
    seconds: float = 60.0
    retry_after: int | None = None
    verdict: STATUSES = "error"

    def matches(self, call: Call) -> bool:
        """Return whether the call matches."""
        if self.kind in OF_BULK_CALLS and call.path != BULK:
            return False
        return self.match == "all" or self.match.matches(call)

    def matches_event(self, event: Mapping[str, Json]) -> bool:
        """Return whether the event matches."""
        return self.match == "all" or self.match.matches_event(event)

    def answer(self, path: str) -> Answer:
        """Return the scripted answer."""
        retry_after = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.kind is Kind.THROTTLE:
            pause = {"Retry-After": "1", **retry_after}
            return Refusal(429, "API rate limit exceeded", pause).answer(path)
        if self.kind is Kind.MALFORMED:
            return Answer(201, (self.body or '{"data":{"acknowledged":tr').encode())
        if self.body is not None:
            return Answer(self.status, self.body.encode(), "text/html", retry_after)
        return Refusal(self.status, f"scripted {self.status}", retry_after).answer(path)

    def change(self, answer: Answer, call: Call) -> Answer:
        """Return the changed answer to a bulk call; its items are in the order of the events."""
        items: Json = json.loads(answer.content).get("data")
        if not isinstance(items, list):
            return answer
        matches = list(zip(items, map(self.matches_event, read_events(call.body)), strict=True))
        if self.kind is Kind.DISORDER:
            items.reverse()
        elif self.kind is Kind.OMIT:
            items = [item for item, is_match in matches if not is_match]
        else:
            items = [{"acknowledged": True} if is_match else item for item, is_match in matches]
        return replace(answer, content=dump({"data": items}))


class Faults:
    """The scripted faults, in order; a call uses the first fault that matches it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._hanging: set[asyncio.Event] = set()

    def add(self, fault: Fault) -> None:
        """Append a fault."""
        self._faults.append(fault)

    def to_json(self) -> list[dict[str, Json]]:
        """Return the faults that are left, as JSON."""
        return [fault.model_dump(mode="json") for fault in self._faults]

    def clear(self) -> None:
        """Remove all faults, and end every hanging call."""
        self._faults.clear()
        for released in self._hanging:
            released.set()

    def take(self, call: Call) -> Fault | None:
        """Return the first fault that matches the call, and count one use of it."""
        return self._use(next((fault for fault in self._call_faults() if fault.matches(call)), None))

    def take_verdict(self, event: Mapping[str, Json]) -> str | None:
        """Return the first verdict that matches the event, and count one use of it."""
        verdicts = (fault for fault in self._faults if fault.kind is Kind.VERDICT)
        fault = self._use(next((fault for fault in verdicts if fault.matches_event(event)), None))
        return fault.verdict if fault else None

    async def hang(self, seconds: float) -> None:
        """Wait; `clear` ends the wait early."""
        released = asyncio.Event()
        self._hanging.add(released)
        try:
            async with asyncio.timeout(seconds):
                await released.wait()
        except TimeoutError:
            pass
        finally:
            self._hanging.discard(released)

    def _call_faults(self) -> Iterator[Fault]:
        return (fault for fault in self._faults if fault.kind is not Kind.VERDICT)

    def _use(self, fault: Fault | None) -> Fault | None:
        if fault is not None and fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
        return fault


def read_events(body: Json) -> list[dict[str, Json]]:
    """Return the events of the body of a single or a bulk call."""
    members = body if isinstance(body, dict) else {}
    events = members.get("events", [members])
    return [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []


def read_addresses(to: Json) -> list[str | None]:
    """Return the subscriber ids and topic keys in `to`."""
    entries = to if isinstance(to, list) else [to]
    return [
        (entry.get("topicKey") or entry.get("subscriberId")) if isinstance(entry, dict) else entry
        for entry in entries
    ]


def _matches(pattern: str | None, values: list[str | None]) -> bool:
    return pattern is None or any(isinstance(value, str) and fnmatchcase(value, pattern) for value in values)
