"""A network for tests of the Novu client."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema

from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.lifecycle import Accepted, Origin, Outcome
from xnovu_poller.novu import Event, Novu

Answer = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]

OPENAPI = json.loads((Path(__file__).parent / "openapi" / "novu.json").read_text())
"""Novu's own description of its calls."""


class Wire:
    """A network that remembers the requests and gives a scripted answer."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Answer = accept

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.requests.append(request)
        answer = self.answer(request)
        return answer if isinstance(answer, httpx.Response) else await answer

    @property
    def paths(self) -> list[str]:
        """The requested paths, in order."""
        return [request.url.raw_path.decode() for request in self.requests]


def build(wire: Wire, gate: Gate, url: str = "https://novu.test", *, max_body_bytes: int = 1_000_000) -> Novu:
    """Return a client on this network."""
    return Novu(
        url,
        "key-1",
        timedelta(seconds=60),
        gate,
        connections=2,
        max_body_bytes=max_body_bytes,
        transport=httpx.MockTransport(wire),
    )


def event(number: int = 1, payload: dict[str, Any] | None = None) -> Event:
    """Return an event, identified by its number."""
    recipients = (f"subscriber-{number}", "topic:warehouse")
    source = Origin("acme", "order-shipped", f"xn-{number}")
    document = json.dumps(payload or {"order": number}).encode()
    return Event("order-shipped", recipients, document, None, f"xn-{number}", 0, source)


def accept(request: httpx.Request) -> httpx.Response:
    """Accept a trigger, or each trigger of a bulk call."""
    sent = json.loads(request.content)
    if "events" in sent:
        return enveloped([processed(each["transactionId"]) for each in sent["events"]])
    return enveloped(processed(sent["transactionId"]))


def processed(transaction_id: str) -> dict[str, Any]:
    """Return Novu's answer for an accepted event."""
    return {"acknowledged": True, "status": "processed", "transactionId": transaction_id}


def enveloped(content: object) -> httpx.Response:
    """Return a success in the envelope that Novu uses."""
    return httpx.Response(201, json={"data": content})


def failing(status: int, **answer: Any) -> Answer:  # noqa: ANN401 - as httpx takes them
    """Return an answer that is always the same error."""
    fields = {"statusCode": status, "timestamp": "2026-01-01T00:00:00Z", "path": "/v1"}
    return lambda _: httpx.Response(status, **({"json": fields} | answer))


def bulk_else_single(bulk: Answer, single: Answer = accept) -> Answer:
    """Return an answer that treats bulk calls and single triggers differently."""
    return lambda request: bulk(request) if request.url.path.endswith("/bulk") else single(request)


def raising(error: Exception) -> Answer:
    """Return a network failure."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return answer


async def never_answer(_: httpx.Request) -> httpx.Response:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def kind(outcome: Outcome) -> tuple[type[Outcome], type[Exception] | None]:
    """Return how a call ended, and the type of its error."""
    return type(outcome), None if isinstance(outcome, Accepted) else type(outcome.error)


def reported(outcome: Outcome) -> str:
    """Return the sentence of an outcome's error."""
    assert not isinstance(outcome, Accepted)
    return str(outcome.error)


def conforms(schema: str, body: bytes) -> None:
    """Validate a request's body with Novu's own description."""
    wanted = {"$ref": f"#/components/schemas/{schema}", "components": OPENAPI["components"]}
    jsonschema.Draft7Validator(wanted).validate(json.loads(body))
