"""The stand-in as a web application: the steps of each call, from its arrival to its answer."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from xnovu_poller.dev.standin import control, page
from xnovu_poller.dev.standin.activity import Activity
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


def build_application(environment: Environment, temporal_ui: str | None = None) -> Starlette:
    """Build the stand-in: Novu's API, the control API and the page, which links to Temporal's web interface."""
    reception = Reception(environment)
    events = Events(environment)
    return Starlette(
        routes=[
            *(
                Route(path, reception.endpoint_for(serve), methods=[method])
                for method, path, serve in api(environment, events)
            ),
            Route("/v1/health-check", _answer_health_check),
            *control.routes(environment, events),
            *page.routes(environment, temporal_ui),
            Route(
                "/{path:path}",
                reception.endpoint_for(_not_found),
                methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            ),
        ]
    )


def api(environment: Environment, events: Events) -> Sequence[tuple[str, str, Serve]]:
    """Return Novu's calls: method, path, and the function that serves it."""
    subscribers, topics, workflows = environment.subscribers, environment.topics, environment.created
    return [
        ("POST", "/v1/events/trigger", events.trigger),
        ("POST", "/v1/events/trigger/bulk", events.bulk),
        ("POST", "/v1/events/trigger/broadcast", events.broadcast),
        ("DELETE", "/v1/events/trigger/{transactionId}", events.cancel),
        ("GET", "/v1/notifications", Activity(environment.ledger).list),
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
        ("POST", "/v2/workflows", workflows.create),
        ("GET", "/v2/workflows", workflows.list),
        ("GET", "/v2/workflows/{workflowId}", workflows.get),
        ("PUT", "/v2/workflows/{workflowId}", workflows.update),
        ("PATCH", "/v2/workflows/{workflowId}", workflows.patch),
        ("DELETE", "/v2/workflows/{workflowId}", workflows.delete),
        ("GET", "/v1/environments", workflows.list_environments),
        ("POST", "/v2/environments/{environmentId}/diff", workflows.compare),
        ("POST", "/v2/environments/{environmentId}/publish", workflows.publish),
    ]


@dataclass(frozen=True, slots=True)
class Reception:
    """Takes each call through its steps: network, API key, rate limit, `Idempotency-Key`, the call itself.

    The order is Novu's: refusals before the `Idempotency-Key` check are not stored under the key, later refusals
    are. Network faults are not stored; the answer that they suppress is.
    """

    environment: Environment

    def endpoint_for(self, serve: Serve) -> Endpoint:
        """Return the endpoint for one of Novu's calls."""

        async def endpoint(request: Request) -> Response:
            return await self.receive(request, serve)

        return endpoint

    async def receive(self, request: Request, serve: Serve) -> Response:
        """Answer a call, or stay silent if a scripted fault requires that."""
        tallies = self.environment.tallies
        tallies["calls"] += 1
        try:
            call = await read_call(request)
        except Refusal as refusal:
            tallies["refused"] += 1
            return to_response(refusal.answer(request.url.path))
        fault = self.environment.faults.take(call)
        if fault is None:
            return self.respond(call, await self.answer(call, serve, None))
        tallies["faults"] += 1
        if fault.kind in BEFORE_ACCEPT or (fault.kind is Kind.STATUS and not fault.cached):
            return self.fail(fault, call)
        answer = await self.answer(call, serve, fault)
        if fault.kind in OF_BULK_CALLS:
            return self.respond(call, fault.change(answer, call))
        return self.fail(fault, call) if fault.kind in AFTER_ACCEPT else self.respond(call, answer)

    def respond(self, call: Call, answer: Answer) -> Response:
        """Return the response, and note it if it is a refusal or a repeat."""
        self.environment.failed_calls.add_answer(call, answer)
        return to_response(answer)

    def fail(self, fault: Fault, call: Call) -> Response:
        """Return the response of a failing network."""
        if fault.kind in SILENT:
            self.environment.failed_calls.add_fault(call, fault, None)
            return Silence(self.environment.faults, 0 if fault.kind in RESETS else fault.seconds)
        answer = fault.answer(call.path)
        self.environment.failed_calls.add_fault(call, fault, answer.status)
        return to_response(answer)

    async def answer(self, call: Call, serve: Serve, fault: Fault | None) -> Answer:
        """Check key and rate limit, then serve the call once."""
        switches, tallies = self.environment.switches, self.environment.tallies
        headers: dict[str, str] = {}
        try:
            check_key(call.headers.get("authorization"), switches.secret_key)
            if switches.rate_limit != "off":
                limits = {str(category): rate for category, rate in switches.limits.items()}
                headers = self.environment.buckets.take(call.path, switches.rate_limit, limits)
            answer = await self.serve_once(call, serve, fault)
        except Refusal as refusal:
            tallies["throttled" if refusal.status == 429 else "refused"] += 1  # noqa: PLR2004 - Too Many Requests
            answer = refusal.answer(call.path)
        return answer.with_headers(headers)

    async def serve_once(self, call: Call, serve: Serve, fault: Fault | None) -> Answer:
        """Serve the call, or repeat the answer that is stored under its key."""
        key = call.headers.get("idempotency-key")
        if not key or not self.environment.switches.idempotency or call.method not in METHODS:
            return await self.serve(call, serve, fault)
        stored = self.environment.idempotency.begin(key, call.body)
        if stored is not None:
            self.environment.tallies["replays"] += 1
            return stored
        return self.environment.idempotency.finish(key, await self.serve(call, serve, fault))

    async def serve(self, call: Call, serve: Serve, fault: Fault | None) -> Answer:
        """Serve the call, unless a scripted fault makes the API itself fail."""
        if fault is not None and fault.kind is Kind.SLOW:
            resets = self.environment.resets
            await self.environment.faults.hang(fault.seconds)
            if self.environment.resets > resets:
                return Refusal(503, "The stand-in was reset during this call").answer(call.path)
        if fault is not None and fault.kind is Kind.STATUS:
            return fault.answer(call.path)
        try:
            return serve(call)
        except Refusal as refusal:
            self.environment.tallies["refused"] += 1
            return refusal.answer(call.path)


def check_key(authorization: str | None, secret_key: str | None) -> None:
    """Check a call's `Authorization` header.

    Raises:
        Refusal: 401 the key is missing or wrong.
    """
    if not authorization:
        raise Refusal(401, "Missing authorization header")
    scheme, _, key = authorization.partition(" ")
    if scheme != "ApiKey":
        raise Refusal(401, f'Invalid authentication scheme: "{scheme}"')
    if not key or secret_key not in (None, key):
        raise Refusal(401, "API Key not found")


async def read_call(request: Request) -> Call:
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


def to_response(answer: Answer) -> Response:
    """Return an answer as an HTTP response."""
    return Response(
        answer.content,
        answer.status,
        headers=dict(answer.headers),
        media_type=answer.media_type,
    )


def _not_found(call: Call) -> Answer:
    raise Refusal(404, f"Cannot {call.method} {call.path}", error="Not Found")


async def _answer_health_check(_request: Request) -> Response:
    """Answer as Novu does: without a key, a rate limit or a fault, and counted nowhere."""
    return JSONResponse({"data": {"status": "ok", "info": {}, "error": {}, "details": {}}})
