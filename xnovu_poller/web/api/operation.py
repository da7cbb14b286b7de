"""An operation of the API: a line of the table, from which its route and its part of the document are made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from xnovu_poller.delivery.shares import Shares
from xnovu_poller.lifecycle import Language
from xnovu_poller.store.api_keys import Scope
from xnovu_poller.store.engine import Engine, Tenant
from xnovu_poller.story import Sources
from xnovu_poller.templates.render import Renderer
from xnovu_poller.web.api.problems import Fault

LARGEST_ID = 2**63 - 1


class Shape(BaseModel):
    """The base of all shapes: what a shape does not name is refused, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a key.

    Attributes:
        prefix: of the key; no secret.
    """

    prefix: str
    enterprise_id: str
    scopes: frozenset[Scope]

    @property
    def actor(self) -> str:
        """Its name in the audit."""
        return f"key {self.prefix}"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the operations work with, the same for all requests.

    Attributes:
        engine: the pool of the API.
        sources: how to ask Temporal and Novu.
        fire: fires a rule, by its id, its enterprise and a key, in Temporal; returns the id of the run.
        language: of texts whose enterprise has none.
        renderer: keeps compiled templates.
        shares: the processor time that rendering takes, by enterprise.
    """

    engine: Engine
    sources: Sources
    fire: Callable[[int, str, str | None], Awaitable[str]]
    language: Language
    renderer: Renderer = field(default_factory=Renderer)
    shares: Shares = field(default_factory=Shares)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was admitted and whose parts are valid.

    Attributes:
        body: of the operation's model; None if it has none.
        raw: the body as it came, JSON in UTF-8.
        query: of the operation's model of parameters; None if it has none.
        id: the number in the path; 0 if the path has none.
        idempotency_key: the header of that name, if the operation has it.
    """

    caller: Caller
    parts: Parts
    body: Any = None
    raw: str = ""
    query: Any = None
    id: int = 0
    idempotency_key: str | None = None

    @property
    def tenant(self) -> Tenant:
        """The pool, acting for the enterprise of the key. Each read and write goes through it."""
        return Tenant(self.parts.engine, self.caller.enterprise_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers."""

    content: BaseModel
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A line of the table.

    Attributes:
        path: under the address of the API; `{id}` is a number from 1 on.
        scope: what the key must be allowed.
        summary: a line of the documentation.
        handler: carries it out for a call that is valid; raises `Problem`, `XnovuError`.
        answers: the model of each status that is no problem, with what it means.
        body: the model of the request; None: it has no body.
        list_body: that of a request that is a list, if there may be one.
        query: the model of the parameters; None: it has none.
        faults: those of its own, beside those that every operation can have.
        is_idempotent: it knows the header Idempotency-Key.
    """

    method: str
    path: str
    scope: Scope
    summary: str
    handler: Handler
    answers: Mapping[int, tuple[str, Any]]
    body: TypeAdapter[Any] | None = None
    list_body: TypeAdapter[Any] | None = None
    query: type[BaseModel] | None = None
    faults: tuple[Fault, ...] = ()
    is_idempotent: bool = False

    @property
    def name(self) -> str:
        """Its name in the document: that of the handler."""
        return self.handler.__name__
