"""Scripted faults: what is to go wrong, for which calls, how often."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict

from xnovu_poller.dev.standin.calls import Answer, Call, Json, Refusal, dump
from xnovu_poller.dev.standin.shapes import enterprise_of

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
    THROTTLE: answers 429; nothing is accepted, nothing is stored under the key.
    HANG_BEFORE_ACCEPT: nothing is accepted, and no answer comes for `seconds`.
    RESET_BEFORE_ACCEPT: nothing is accepted, and the connection is reset.
    SLOW: waits for `seconds`, then goes on as usual; the key is in progress meanwhile.
    ACCEPT_THEN_HANG: accepted, and no answer comes for `seconds`.
    ACCEPT_THEN_RESET: accepted, and the connection is reset.
    ACCEPT_THEN_STATUS: accepted, but a proxy answers `status`.
    MALFORMED: accepted, but the answer is cut-off JSON, or `body`.
    VERDICT: 201, but this event's `status` is `verdict` in place of `processed`.
    DISORDER: accepted, but the items of a bulk call's answer come in reverse order.
    OMIT: accepted, but a bulk call's answer leaves out the events that fit.
    MUMBLE: accepted, but in a bulk call's answer the items of the events that fit have no `status`.
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
"""They go wrong with no single event."""

BULK = "/v1/events/trigger/bulk"


class Match(BaseModel):
    """Which calls; every given member has to fit, with `*` and `?` as in file names.

    Attributes:
        method: of the call.
        path: of the call.
        workflow: of an event in the call.
        transaction_id: of an event in the call.
        recipient: a subscriber or topic in an event's `to`.
        enterprise: that an event's payload names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str = "POST"
    path: str = "/v1/events/trigger*"
    workflow: str | None = None
    transaction_id: str | None = None
    recipient: str | None = None
    enterprise: str | None = None

    def fits(self, call: Call) -> bool:
        """Say whether the call is meant."""
        if not (fnmatchcase(call.method, self.method) and fnmatchcase(call.path, self.path)):
            return False
        named = (self.workflow, self.transaction_id, self.recipient, self.enterprise)
        return all(name is None for name in named) or any(map(self.fits_event, events_of(call.body)))

    def fits_event(self, event: Mapping[str, Json]) -> bool:
        """Say whether the event is meant."""
        return (
            _fits(self.workflow, [event.get("name")])
            and _fits(self.transaction_id, [event.get("transactionId")])
            and _fits(self.recipient, addressed(event.get("to")))
            and _fits(self.enterprise, [enterprise_of(event)])
        )


class Fault(BaseModel):
    """One line of the script.

    Attributes:
        match: which calls; "all" for every call.
        kind: what goes wrong.
        times: how often; None until it is cleared.
        status: for STATUS and ACCEPT_THEN_STATUS.
        cached: for STATUS: whether it is the API's answer, stored under the `Idempotency-Key`, or
            that of a proxy before it, stored nowhere.
        body: a text to answer with, in place of Novu's error body.
        seconds: for SLOW and the two that hang.
        retry_after: seconds, the header of the answer.
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

    def fits(self, call: Call) -> bool:
        """Say whether the call is meant."""
        if self.kind in OF_BULK_CALLS and call.path != BULK:
            return False
        return self.match == "all" or self.match.fits(call)

    def fits_event(self, event: Mapping[str, Json]) -> bool:
        """Say whether the event is meant."""
        return self.match == "all" or self.match.fits_event(event)

    def answer(self, path: str) -> Answer:
        """Give the scripted answer."""
        retry_after = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.kind is Kind.THROTTLE:
            pause = {"Retry-After": "1", **retry_after}
            return Refusal(429, "API rate limit exceeded", pause).answer(path)
        if self.kind is Kind.MALFORMED:
            return Answer(201, (self.body or '{"data":{"acknowledged":tr').encode())
        if self.body is not None:
            return Answer(self.status, self.body.encode(), "text/html", retry_after)
        return Refusal(self.status, f"scripted {self.status}", retry_after).answer(path)

    def bend(self, answer: Answer, call: Call) -> Answer:
        """Give what becomes of the answer to a bulk call; its items stand in the order of the events."""
        items: Json = json.loads(answer.content).get("data")
        if not isinstance(items, list):
            return answer
        told = list(zip(items, map(self.fits_event, events_of(call.body)), strict=True))
        if self.kind is Kind.DISORDER:
            items.reverse()
        elif self.kind is Kind.OMIT:
            items = [item for item, meant in told if not meant]
        else:
            items = [{"acknowledged": True} if meant else item for item, meant in told]
        return replace(answer, content=dump({"data": items}))


class Faults:
    """The script; the first line that fits a call is used up by it."""

    def __init__(self) -> None:
        self._script: list[Fault] = []
        self._hanging: set[asyncio.Event] = set()

    def add(self, fault: Fault) -> None:
        """Put a line at the end of the script."""
        self._script.append(fault)

    def left(self) -> list[dict[str, Json]]:
        """Give what has not been used up, as JSON."""
        return [fault.model_dump(mode="json") for fault in self._script]

    def clear(self) -> None:
        """Drop the script, and end every call that hangs."""
        self._script.clear()
        for released in self._hanging:
            released.set()

    def take(self, call: Call) -> Fault | None:
        """Use up one time of the first line that fits the call."""
        return self._use(next((fault for fault in self._of_calls() if fault.fits(call)), None))

    def take_verdict(self, event: Mapping[str, Json]) -> str | None:
        """Use up one time of the first verdict that fits the event."""
        verdicts = (fault for fault in self._script if fault.kind is Kind.VERDICT)
        fault = self._use(next((fault for fault in verdicts if fault.fits_event(event)), None))
        return fault.verdict if fault else None

    async def hang(self, seconds: float) -> None:
        """Wait; `clear` ends it early."""
        released = asyncio.Event()
        self._hanging.add(released)
        try:
            async with asyncio.timeout(seconds):
                await released.wait()
        except TimeoutError:
            pass
        finally:
            self._hanging.discard(released)

    def _of_calls(self) -> Iterator[Fault]:
        return (fault for fault in self._script if fault.kind is not Kind.VERDICT)

    def _use(self, fault: Fault | None) -> Fault | None:
        if fault is not None and fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._script.remove(fault)
        return fault


def events_of(body: Json) -> list[dict[str, Json]]:
    """Give the events of a body, single or bulk."""
    members = body if isinstance(body, dict) else {}
    events = members.get("events", [members])
    return [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []


def addressed(to: Json) -> list[str | None]:
    """Give the subscriber ids and topic keys in `to`."""
    entries = to if isinstance(to, list) else [to]
    return [
        (entry.get("topicKey") or entry.get("subscriberId")) if isinstance(entry, dict) else entry
        for entry in entries
    ]


def _fits(pattern: str | None, values: list[str | None]) -> bool:
    return pattern is None or any(isinstance(value, str) and fnmatchcase(value, pattern) for value in values)
