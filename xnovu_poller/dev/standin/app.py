"""The stand-in as a web application: the way of a call from the door to the answer."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from xnovu_poller.dev.standin import control, page
from xnovu_poller.dev.standin.calls import Answer, Call, Refusal
from xnovu_poller.dev.standin.connection import Silence
from xnovu_poller.dev.standin.environment import Environment
from xnovu_poller.dev.standin.events import Events
from xnovu_poller.dev.standin.faults import OF_BULK_CALLS, Fault, Kind
from xnovu_poller.dev.standin.idempotency import METHODS

Serve = Callable[[Call], Answer]
Endpoint = Callable[[Request], Awaitable[Response]]

BEFORE_ACCEPT = frozenset({Kind.HANG_BEFORE_ACCEPT, Kind.RESET_BEFORE_ACCEPT, Kind.THROTTLE})
SILENT = frozenset(
    {Kind.HANG_BEFORE_ACCEPT, Kind.RESET_BEFORE_ACCEPT, Kind.ACCEPT_THEN_HANG, Kind.ACCEPT_THEN_RESET}
)
RESETS = frozenset({Kind.RESET_BEFORE_ACCEPT, Kind.ACCEPT_THEN_RESET})
AFTER_ACCEPT = frozenset(
    {Kind.ACCEPT_THEN_HANG, Kind.ACCEPT_THEN_RESET, Kind.ACCEPT_THEN_STATUS, Kind.MALFORMED}
)


def application(environment: Environment) -> Starlette:
    """Wire the stand-in: Novu's API, the control path and the page."""
    reception = Reception(environment)
    events = Events(environment)
    return Starlette(
        routes=[
            *(
                Route(path, reception.at(serve), methods=[method])
                for method, path, serve in api(environment, events)
            ),
            *control.routes(environment, events),
            *page.routes(environment),
            Route(
                "/{path:path}", reception.at(_not_found), methods=["GET", "POST", "PUT", "PATCH", "DELETE"]
            ),
        ]
    )


def api(environment: Environment, events: Events) -> Sequence[tuple[str, str, Serve]]:
    """Give Novu's calls: method, path, and who serves it."""
    subscribers, topics = environment.subscribers, environment.topics
    return [
        ("POST", "/v1/events/trigger", events.trigger),
        ("POST", "/v1/events/trigger/bulk", events.bulk),
        ("POST", "/v1/events/trigger/broadcast", events.broadcast),
        ("DELETE", "/v1/events/trigger/{transactionId}", events.cancel),
        ("POST", "/v1/subscribers/bulk", subscribers.create_bulk),
        ("POST", "/v2/subscribers", subscribers.create),
        ("GET", "/v2/subscribers", subscribers.list),
        ("GET", "/v2/subscribers/{subscriberId}", subscribers.get),
        ("PATCH", "/v2/subscribers/{subscriberId}", subscribers.patch),
        ("DELETE", "/v2/subscribers/{subscriberId}", subscribers.delete),
        ("POST", "/v2/topics", topics.create),
        ("GET", "/v2/topics", topics.list),
        ("GET", "/v2/topics/{topicKey}", topics.get),
        ("PATCH", "/v2/topics/{topicKey}", topics.patch),
        ("DELETE", "/v2/topics/{topicKey}", topics.delete),
        ("POST", "/v2/topics/{topicKey}/subscriptions", topics.subscribe),
        ("GET", "/v2/topics/{topicKey}/subscriptions", topics.list_subscriptions),
        ("DELETE", "/v2/topics/{topicKey}/subscriptions", topics.unsubscribe),
    ]


@dataclass(frozen=True, slots=True)
class Reception:
    """The way of each call: network, key, rate limit, `Idempotency-Key`, then the call itself.

    The order is Novu's: what is refused before the `Idempotency-Key` is looked at is not stored
    under it, everything after is. Faults of the network are stored nowhere; the answer that they
    swallow is.
    """

    environment: Environment

    def at(self, serve: Serve) -> Endpoint:
        """Give the endpoint for one of Novu's calls."""

        async def endpoint(request: Request) -> Response:
            return await self.receive(request, serve)

        return endpoint

    async def receive(self, request: Request, serve: Serve) -> Response:
        """Answer a call, or do not, as the script has it."""
        tallies = self.environment.tallies
        tallies["calls"] += 1
        try:
            call = await call_of(request)
        except Refusal as refusal:
            tallies["refused"] += 1
            return response_of(refusal.answer(request.url.path))
        fault = self.environment.faults.take(call)
        if fault is None:
            return response_of(await self.answer(call, serve, None))
        tallies["faults"] += 1
        if fault.kind in BEFORE_ACCEPT or (fault.kind is Kind.STATUS and not fault.cached):
            return self.broken(fault, call)
        answer = await self.answer(call, serve, fault)
        if fault.kind in OF_BULK_CALLS:
            return response_of(fault.bend(answer, call))
        return self.broken(fault, call) if fault.kind in AFTER_ACCEPT else response_of(answer)

    def broken(self, fault: Fault, call: Call) -> Response:
        """Give what the network makes of an answer."""
        if fault.kind in SILENT:
            return Silence(self.environment.faults, 0 if fault.kind in RESETS else fault.seconds)
        return response_of(fault.answer(call.path))

    async def answer(self, call: Call, serve: Serve, fault: Fault | None) -> Answer:
        """Let the call in, then serve it once."""
        switches, tallies = self.environment.switches, self.environment.tallies
        headers: dict[str, str] = {}
        try:
            check_key(call.headers.get("authorization"), switches.secret_key)
            if switches.rate_limit != "off":
                limits = {str(category): rate for category, rate in switches.limits.items()}
                headers = self.environment.buckets.take(call.path, switches.rate_limit, limits)
            answer = await self.once(call, serve, fault)
        except Refusal as refusal:
            tallies["throttled" if refusal.status == 429 else "refused"] += 1  # noqa: PLR2004 - Too Many Requests
            answer = refusal.answer(call.path)
        return answer.also(headers)

    async def once(self, call: Call, serve: Serve, fault: Fault | None) -> Answer:
        """Serve the call, or repeat what was answered under its key."""
        key = call.headers.get("idempotency-key")
        if not key or not self.environment.switches.idempotency or call.method not in METHODS:
            return await self.served(call, serve, fault)
        stored = self.environment.idempotency.begin(key, call.body)
        if stored is not None:
            self.environment.tallies["replays"] += 1
            return stored
        return self.environment.idempotency.finish(key, await self.served(call, serve, fault))

    async def served(self, call: Call, serve: Serve, fault: Fault | None) -> Answer:
        """Serve the call, unless the script has the API itself fail."""
        if fault is not None and fault.kind is Kind.SLOW:
            resets = self.environment.resets
            await self.environment.faults.hang(fault.seconds)
            if self.environment.resets > resets:
                return Refusal(503, "The stand-in was reset meanwhile").answer(call.path)
        if fault is not None and fault.kind is Kind.STATUS:
            return fault.answer(call.path)
        try:
            return serve(call)
        except Refusal as refusal:
            self.environment.tallies["refused"] += 1
            return refusal.answer(call.path)


def check_key(authorization: str | None, secret_key: str | None) -> None:
    """Let a call in by its `Authorization` header.

    Raises:
        Refusal: 401.
    """
    if not authorization:
        raise Refusal(401, "Missing authorization header")
    scheme, _, key = authorization.partition(" ")
    if scheme != "ApiKey":
        raise Refusal(401, f'Invalid authentication scheme: "{scheme}"')
    if not key or secret_key not in (None, key):
        raise Refusal(401, "API Key not found")


async def call_of(request: Request) -> Call:
    """Read a call.

    Raises:
        Refusal: 400 the body is not JSON.
    """
    content = await request.body()
    try:
        body = json.loads(content) if content else None
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON") from None
    return Call(
        method=request.method,
        path=request.url.path,
        names=request.path_params,
        query=request.query_params,
        headers=request.headers,
        body=body,
        size=len(content),
    )


def response_of(answer: Answer) -> Response:
    """Give an answer its form on the wire."""
    return Response(
        answer.content,
        answer.status,
        headers=dict(answer.headers),
        media_type=answer.media_type,
    )


def _not_found(call: Call) -> Answer:
    raise Refusal(404, f"Cannot {call.method} {call.path}", error="Not Found")
