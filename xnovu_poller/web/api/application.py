"""The application: each operation of the table as a route, which admits, checks, calls, answers and counts."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby
from weakref import WeakValueDictionary

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from xnovu_poller import log
from xnovu_poller.delivery.shares import Shares
from xnovu_poller.errors import StoreLocked, StoreUnavailable, XnovuError
from xnovu_poller.metrics.api import observe
from xnovu_poller.store.engine import CONNECTIONS
from xnovu_poller.web.api.admission import Admission, require
from xnovu_poller.web.api.bodies import CLOSE, read_body, validate_body, validate_query
from xnovu_poller.web.api.intake import Intake
from xnovu_poller.web.api.operation import LARGEST_ID, Call, Caller, Operation, Parts
from xnovu_poller.web.api.problems import BY_STATUS, SAFE, Broken, Fault, Problem
from xnovu_poller.web.row_id import row_id

_log = log.get(__name__)

App = Starlette
"""The application. Other rooms use this name, so that only `web/` imports Starlette."""

MOST_AT_ONCE = CONNECTIONS // 2
"""The requests of an enterprise that are carried out at the same time by a process; others wait, and leave room for the rest."""

RETRY_SECONDS = 2
"""When a client may ask again while PostgreSQL is away."""

_OURS = ("Authorization", "Content-Type", "Idempotency-Key")
_EXPOSED = (
    "RateLimit",
    "RateLimit-Policy",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "Location",
)


class Endpoints:
    """Makes an endpoint of each operation.

    Args:
        parts: what the operations work with.
        admission: admits requests.
        most_bytes: the largest body.
        seconds: the longest time of a request.
    """

    def __init__(self, parts: Parts, admission: Admission, *, most_bytes: int, seconds: float) -> None:
        self._parts = parts
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._admission = admission
        self._intake = Intake(Shares())
        self._most_bytes = most_bytes
        self._seconds = seconds

    def route(self, operations: Sequence[Operation]) -> Route:
        """Return the route of the operations of one path."""
        by_method = {operation.method: operation for operation in operations}
        if "GET" in by_method:
            by_method["HEAD"] = by_method["GET"]
        path = operations[0].path

        async def endpoint(request: Request) -> Response:
            return await self._serve(by_method[request.method], request)

        return Route(path.replace("{id}", row_id("id")), counted(path, endpoint), methods=[*by_method])

    async def _serve(self, operation: Operation, request: Request) -> Response:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._answer(operation, request)
        except TimeoutError:
            raise unavailable("it took too long; it may or may not have been done") from None

    async def _answer(self, operation: Operation, request: Request) -> Response:
        _check_head(request)
        admitted = await self._admission.admit(request)
        try:
            require(admitted.caller, operation.scope)
            enterprise = admitted.caller.enterprise_id
            async with self._intake.hold_place(request, enterprise):
                call = await self._read(operation, request, admitted.caller)
                async with self._turns.setdefault(enterprise, asyncio.Semaphore(MOST_AT_ONCE)):
                    answer = await operation.handler(call)
        except Problem as problem:
            problem.headers = {**admitted.headers, **problem.headers}
            raise
        return Response(
            answer.content.model_dump_json(),
            status_code=answer.status,
            headers={**SAFE, **admitted.headers, **answer.headers},
            media_type="application/json",
        )

    async def _read(self, operation: Operation, request: Request, caller: Caller) -> Call:
        number = request.path_params.get("id", 0)
        if "id" in request.path_params and not 0 < number <= LARGEST_ID:
            raise Problem(Fault.NOT_FOUND)
        query = validate_query(operation.query, request.query_params)
        raw, body = "", None
        if operation.body is not None:
            raw = await read_body(request, self._most_bytes)
            check = partial(validate_body, operation.body, operation.list_body, raw, self._most_bytes)
            body = await self._intake.check(caller.enterprise_id, check)
        return Call(
            caller=caller,
            parts=self._parts,
            body=body,
            raw=raw,
            query=query,
            id=number,
            idempotency_key=idempotency_key(request) if operation.is_idempotent else None,
        )


def application(
    endpoints: Endpoints,
    operations: Sequence[Operation],
    *,
    pages: Sequence[BaseRoute] = (),
    origins: Sequence[str] = (),
) -> Starlette:
    """Build the application.

    Args:
        operations: the table; those of one path stand together.
        pages: further routes, which answer by themselves.
        origins: whose pages may call the API.
    """
    routes = [endpoints.route([*same]) for _, same in groupby(operations, key=lambda each: each.path)]
    app = Starlette(
        routes=[Route("/livez", counted("/livez", _live)), *routes, *pages],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=("GET", "POST", "PUT", "DELETE"),
                allow_headers=_OURS,
                expose_headers=_EXPOSED,
            )
        ]
        if origins
        else [],
        exception_handlers={HTTPException: counted("unknown", _refuse)},
    )
    # A redirect would lead to the host that the client has named.
    app.router.redirect_slashes = False
    return app


async def _live(_request: Request) -> Response:
    """Answer if the event loop works; no restart of this process would bring PostgreSQL back, so it does not count."""
    return PlainTextResponse("alive\n", headers=SAFE)


def counted(route: str, endpoint: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    """Return an endpoint whose faults are answered as problems, and whose requests are counted under the route."""

    async def answered(request: Request, *given: Exception) -> Response:
        began = time.monotonic()
        try:
            response = await endpoint(request, *given)
        except Problem as problem:
            response = problem.to_response()
        except Exception as error:  # noqa: BLE001 - each request has an answer
            response = _explain(error).to_response()
        observe(request.method, route, response.status_code, time.monotonic() - began)
        return response

    return answered


def _explain(error: Exception) -> Problem:
    """Return the problem of an error that is not the client's, and log it where nobody else will."""
    match error:
        case StoreLocked():
            return unavailable("another transaction holds what the request needs; nothing was done")
        case StoreUnavailable():
            return unavailable("the database does not answer")
        case XnovuError():
            _log.warning("request failed", code=error.code, error=str(error))
        case _:
            # Its message may quote a value.
            log.bug(_log, "request failed", error)
    return Problem(Fault.INTERNAL, "it is logged")


def unavailable(detail: str) -> Problem:
    """Return that a request can be repeated later."""
    return Problem(Fault.UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_SECONDS)})


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - for which it is registered
    fault = BY_STATUS.get(error.status_code, Fault.BAD_REQUEST)
    return Problem(fault, headers=dict(error.headers or {})).to_response()


_ONCE = ("authorization", "content-type", "content-encoding", "idempotency-key")


def _check_head(request: Request) -> None:
    """Refuse a head that a proxy may have read in another way.

    Raises:
        Problem: it has a field twice, or two lengths of its body.
    """
    for name in _ONCE:
        if len(request.headers.getlist(name)) > 1:
            raise Problem(Fault.BAD_REQUEST, f"the field {name} is there twice", headers=CLOSE)
    if {"content-length", "transfer-encoding"} <= {*request.headers}:
        raise Problem(Fault.BAD_REQUEST, "it has Content-Length and Transfer-Encoding", headers=CLOSE)


_LONGEST_KEY = 1024


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key of a request; None if it has none.

    Raises:
        Problem: it cannot be a dedup_key.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key) <= _LONGEST_KEY):
        raise Problem(
            Fault.INVALID,
            errors=[Broken("Idempotency-Key", f"must have 1 to {_LONGEST_KEY} visible characters of ASCII")],
        )
    return key
