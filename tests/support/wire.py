"""What stands where the network is, for tests of the Novu client."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema

from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.lifecycle import Accepted, Outcome, Sender
from xnovu_poller.novu import Event, Novu

Answer = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]

OPENAPI = json.loads((Path(__file__).parent / "openapi" / "novu.json").read_text())
"""Novu's own description of its calls."""


class Wire:
    """Stands where the network is: remembers what was asked, answers as told."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Answer = accept

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        answer = self.answer(request)
        return answer if isinstance(answer, httpx.Response) else await answer

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [request.url.raw_path.decode() for request in self.requests]


def build(wire: Wire, gate: Gate, url: str = "https://novu.test") -> Novu:
    """A client on the given wire."""
    transport = httpx.MockTransport(wire)
    return Novu(url, "key-1", timedelta(seconds=5), gate, connections=2, transport=transport)


def event(number: int = 1, payload: dict[str, Any] | None = None) -> Event:
    """An event, told from others by its number."""
    recipients = (f"subscriber-{number}", "topic:warehouse")
    source = Sender("acme", "order-shipped", f"xn-{number}")
    return Event("order-shipped", recipients, payload or {"order": number}, None, f"xn-{number}", 0, source)


def accept(request: httpx.Request) -> httpx.Response:
    """Accept a trigger, or each of a bulk call."""
    asked = json.loads(request.content)
    if "events" in asked:
        return enveloped([processed(each["transactionId"]) for each in asked["events"]])
    return enveloped(processed(asked["transactionId"]))


def processed(transaction_id: str) -> dict[str, Any]:
    """Novu's word for an accepted event."""
    return {"acknowledged": True, "status": "processed", "transactionId": transaction_id}


def enveloped(content: object) -> httpx.Response:
    """A success as it is on the wire."""
    return httpx.Response(201, json={"data": content})


def failing(status: int, **answer: Any) -> Answer:  # noqa: ANN401 - as httpx takes them
    """Always the same error."""
    said = {"statusCode": status, "timestamp": "2026-01-01T00:00:00Z", "path": "/v1"}
    return lambda _: httpx.Response(status, **({"json": said} | answer))


def bulk_else_single(bulk: Answer, single: Answer = accept) -> Answer:
    """One answer for bulk calls, another for single triggers."""
    return lambda request: bulk(request) if request.url.path.endswith("/bulk") else single(request)


def raising(error: Exception) -> Answer:
    """A network that fails."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return answer


async def mute(_: httpx.Request) -> httpx.Response:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def kind(outcome: Outcome) -> tuple[type[Outcome], type[Exception] | None]:
    """How a call ended and of what kind its error is."""
    return type(outcome), None if isinstance(outcome, Accepted) else type(outcome.error)


def reported(outcome: Outcome) -> str:
    """The sentence of an outcome's error."""
    assert not isinstance(outcome, Accepted)
    return str(outcome.error)


def conforms(schema: str, body: bytes) -> None:
    """Compare a request's body with Novu's own description."""
    wanted = {"$ref": f"#/components/schemas/{schema}", "components": OPENAPI["components"]}
    jsonschema.Draft7Validator(wanted).validate(json.loads(body))
