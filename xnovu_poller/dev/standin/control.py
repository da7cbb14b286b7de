"""The control API: tests and people script the stand-in and read its ledger."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from xnovu_poller.dev.standin.calls import Json, dump, format_ms
from xnovu_poller.dev.standin.environment import Environment, Switches
from xnovu_poller.dev.standin.events import Events
from xnovu_poller.dev.standin.faults import Fault
from xnovu_poller.dev.standin.ledger import AcceptedTrigger, describe_arrival, list_deliveries
from xnovu_poller.dev.standin.messages import show
from xnovu_poller.dev.standin.workflows import WorkflowBehaviour

Order = TypeVar("Order", bound=BaseModel)


def routes(environment: Environment, events: Events) -> list[Route]:
    """Return the routes of the control API; they need no key."""
    control = Control(environment, events)
    return [
        Route("/_standin/ledger", control.ledger, methods=["GET"]),
        Route("/_standin/stats", control.stats, methods=["GET"]),
        Route("/_standin/reset", control.reset, methods=["POST"]),
        Route("/_standin/deliver", control.deliver, methods=["POST"]),
        Route("/_standin/faults", control.faults, methods=["GET", "POST", "DELETE"]),
        Route("/_standin/switches", control.switches, methods=["GET", "PATCH"]),
        Route("/_standin/workflows", control.workflows, methods=["GET"]),
        Route("/_standin/workflows/{identifier}", control.set_workflow, methods=["PUT"]),
    ]


class Control:
    """The calls of the control API."""

    def __init__(self, environment: Environment, events: Events) -> None:
        self._environment = environment
        self._events = events

    async def ledger(self, request: Request) -> Response:
        """GET accepted triggers and deliveries; filter by transaction_id, workflow, enterprise.

        `?bodies=no` omits payloads and rendered text.
        """
        query = request.query_params
        triggers = self._environment.ledger.triggers(
            transaction_id=query.get("transaction_id"),
            workflow=query.get("workflow"),
            enterprise=query.get("enterprise"),
        )
        find = self._environment.subscribers.find
        return _json(summarise(triggers, find, bodies=query.get("bodies") != "no"))

    async def stats(self, _: Request) -> Response:
        """GET the counts."""
        names = ("calls", "bulks", "triggers", "refused", "throttled", "replays", "faults")
        tallies = self._environment.tallies
        return _json({name: tallies[name] for name in names} | self._environment.ledger.tallies())

    async def reset(self, _: Request) -> Response:
        """POST: forget everything, end hanging calls, restore the switches."""
        self._environment.reset()
        return Response(status_code=204)

    async def deliver(self, _: Request) -> Response:
        """POST: deliver the triggers of delayed workflows."""
        return _json({"delivered": self._events.deliver_delayed()})

    async def faults(self, request: Request) -> Response:
        """POST a fault; GET the faults that are left; DELETE all and end hanging calls."""
        faults = self._environment.faults
        if request.method == "DELETE":
            faults.clear()
            return Response(status_code=204)
        if request.method == "POST":
            return await _read(request, Fault, faults.add)
        return _json(faults.to_json())

    async def switches(self, request: Request) -> Response:
        """PATCH some of the switches; GET all of them without the key."""
        if request.method == "PATCH":
            return await _read(request, Switches, self._switch)
        return _json(self._environment.switches.model_dump(exclude={"secret_key"}))

    async def workflows(self, _: Request) -> Response:
        """GET the workflows that were set."""
        return _json(self._environment.workflows.to_json())

    async def set_workflow(self, request: Request) -> Response:
        """PUT the behaviour of a workflow."""
        identifier: str = request.path_params["identifier"]
        return await _read(
            request,
            WorkflowBehaviour,
            lambda behaviour: self._environment.workflows.set(identifier, behaviour),
        )

    def _switch(self, switches: Switches) -> None:
        changed = switches.model_dump(include=switches.model_fields_set)
        self._environment.switches = self._environment.switches.model_copy(update=changed)


def summarise(
    triggers: list[AcceptedTrigger], find: Callable[[str], dict[str, Json] | None], *, bodies: bool
) -> dict[str, Json]:
    """Return triggers, deliveries, and how often each subscriber received each transaction."""
    texts: dict[int, dict[str, Json]] = {}
    if bodies:
        texts = {trigger.number: trigger.body() for trigger in triggers}
    counts = Counter(
        (trigger.transaction_id, subscriber) for trigger, subscriber in list_deliveries(triggers)
    )
    return {
        "triggers": [
            describe_arrival(trigger)
            | {"subscribers": list(trigger.subscribers)}
            | ({"event": texts[trigger.number]} if bodies else {})
            for trigger in triggers
        ],
        "deliveries": [
            _describe_delivery(trigger, subscriber)
            | ({"rendered": show(trigger, texts[trigger.number], find(subscriber) or {})} if bodies else {})
            for trigger, subscriber in list_deliveries(triggers)
        ],
        "counts": [
            {"transaction_id": transaction_id, "subscriber_id": subscriber, "deliveries": count}
            for (transaction_id, subscriber), count in counts.items()
        ],
    }


def _describe_delivery(trigger: AcceptedTrigger, subscriber: str) -> dict[str, Json]:
    at = trigger.delivered_ms
    return {
        "trigger": trigger.number,
        "subscriber_id": subscriber,
        "workflow": trigger.workflow,
        "channels": list(trigger.channels),
        "transaction_id": trigger.transaction_id,
        "enterprise": trigger.enterprise,
        "delivered_at": None if at is None else format_ms(at),
        "delivered_ms": at,
    }


async def _read(request: Request, kind: type[Order], take: Callable[[Order], None]) -> Response:
    """Pass the request's body to `take`; answer 400 with the faults if it cannot be read."""
    try:
        order = kind.model_validate_json(await request.body())
    except ValidationError as error:
        return Response(
            error.json(include_url=False, include_input=False), 400, media_type="application/json"
        )
    take(order)
    return Response(status_code=204)


def _json(value: Json) -> Response:
    return Response(dump(value), media_type="application/json")
