"""The control path: what a test or a person tells the stand-in, and asks of it."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from xnovu_poller.dev.standin.calls import Json, dump, iso_of_ms
from xnovu_poller.dev.standin.environment import Environment, Switches
from xnovu_poller.dev.standin.events import Events
from xnovu_poller.dev.standin.faults import Fault
from xnovu_poller.dev.standin.ledger import Trigger, arrival_of, deliveries_of
from xnovu_poller.dev.standin.shapes import rendered_of
from xnovu_poller.dev.standin.workflows import Workflow

Told = TypeVar("Told", bound=BaseModel)


def routes(environment: Environment, events: Events) -> list[Route]:
    """Give the routes of the control path; they ask for no key."""
    control = Control(environment, events)
    return [
        Route("/_standin/ledger", control.ledger, methods=["GET"]),
        Route("/_standin/stats", control.stats, methods=["GET"]),
        Route("/_standin/reset", control.reset, methods=["POST"]),
        Route("/_standin/deliver", control.deliver, methods=["POST"]),
        Route("/_standin/faults", control.faults, methods=["GET", "POST", "DELETE"]),
        Route("/_standin/switches", control.switches, methods=["GET", "PATCH"]),
        Route("/_standin/workflows", control.workflows, methods=["GET"]),
        Route("/_standin/workflows/{identifier}", control.tell_workflow, methods=["PUT"]),
    ]


class Control:
    """The control path's calls."""

    def __init__(self, environment: Environment, events: Events) -> None:
        self._environment = environment
        self._events = events

    async def ledger(self, request: Request) -> Response:
        """GET what was accepted and delivered, filtered by transaction_id, workflow, enterprise.

        `?bodies=no` leaves payloads and rendered text out.
        """
        query = request.query_params
        triggers = self._environment.ledger.triggers(
            transaction_id=query.get("transaction_id"),
            workflow=query.get("workflow"),
            enterprise=query.get("enterprise"),
        )
        return _json(account_of(triggers, bodies=query.get("bodies") != "no"))

    async def stats(self, _: Request) -> Response:
        """GET the counts."""
        names = ("calls", "bulks", "triggers", "refused", "throttled", "replays", "faults")
        tallies = self._environment.tallies
        return _json({name: tallies[name] for name in names} | self._environment.ledger.tallies())

    async def reset(self, _: Request) -> Response:
        """POST: forget everything, end what hangs, put the switches back."""
        self._environment.reset()
        return Response(status_code=204)

    async def deliver(self, _: Request) -> Response:
        """POST: deliver what delayed workflows hold back."""
        return _json({"delivered": self._events.deliver_delayed()})

    async def faults(self, request: Request) -> Response:
        """POST a line of the script; GET what is left of it; DELETE all, ending what hangs."""
        faults = self._environment.faults
        if request.method == "DELETE":
            faults.clear()
            return Response(status_code=204)
        if request.method == "POST":
            return await _told(request, Fault, faults.add)
        return _json(faults.left())

    async def switches(self, request: Request) -> Response:
        """PATCH some of the switches; GET all of them but the key."""
        if request.method == "PATCH":
            return await _told(request, Switches, self._switch)
        return _json(self._environment.switches.model_dump(exclude={"secret_key"}))

    async def workflows(self, _: Request) -> Response:
        """GET what was told of workflows."""
        return _json(self._environment.workflows.told())

    async def tell_workflow(self, request: Request) -> Response:
        """PUT what a workflow is like."""
        identifier: str = request.path_params["identifier"]
        return await _told(request, Workflow, lambda told: self._environment.workflows.tell(identifier, told))

    def _switch(self, switches: Switches) -> None:
        changed = switches.model_dump(include=switches.model_fields_set)
        self._environment.switches = self._environment.switches.model_copy(update=changed)


def account_of(triggers: list[Trigger], *, bodies: bool) -> dict[str, Json]:
    """Give triggers, deliveries, and how often each subscriber got each transaction."""
    texts: dict[int, dict[str, Json]] = {}
    if bodies:
        texts = {trigger.number: trigger.body() for trigger in triggers}
    counts = Counter((trigger.transaction_id, subscriber) for trigger, subscriber in deliveries_of(triggers))
    return {
        "triggers": [
            arrival_of(trigger)
            | {"subscribers": list(trigger.subscribers)}
            | ({"event": texts[trigger.number]} if bodies else {})
            for trigger in triggers
        ],
        "deliveries": [
            _delivery_of(trigger, subscriber)
            | ({"rendered": rendered_of(texts[trigger.number])} if bodies else {})
            for trigger, subscriber in deliveries_of(triggers)
        ],
        "counts": [
            {"transaction_id": transaction_id, "subscriber_id": subscriber, "deliveries": count}
            for (transaction_id, subscriber), count in counts.items()
        ],
    }


def _delivery_of(trigger: Trigger, subscriber: str) -> dict[str, Json]:
    at = trigger.delivered_ms
    return {
        "trigger": trigger.number,
        "subscriber_id": subscriber,
        "workflow": trigger.workflow,
        "channels": list(trigger.channels),
        "transaction_id": trigger.transaction_id,
        "enterprise": trigger.enterprise,
        "delivered_at": None if at is None else iso_of_ms(at),
        "delivered_ms": at,
    }


async def _told(request: Request, kind: type[Told], take: Callable[[Told], None]) -> Response:
    """Read what is told and pass it on; 400 names what cannot be read."""
    try:
        told = kind.model_validate_json(await request.body())
    except ValidationError as error:
        return Response(
            error.json(include_url=False, include_input=False), 400, media_type="application/json"
        )
    take(told)
    return Response(status_code=204)


def _json(value: Json) -> Response:
    return Response(dump(value), media_type="application/json")
