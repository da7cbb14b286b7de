"""Trigger, bulk, broadcast and cancel, and the worker behind them that delivers or drops.

Novu queues an accepted trigger, and a worker delivers it later. Here the worker's step follows at once, so
that a test need not wait. As with Novu, the caller gets no answer about it.
"""

import uuid
from collections.abc import Mapping, Sequence

from xnovu_poller.dev.standin.calls import Answer, Call, Json, Refusal, invalid, success
from xnovu_poller.dev.standin.environment import Environment
from xnovu_poller.dev.standin.ledger import AcceptedTrigger, State
from xnovu_poller.dev.standin.messages import list_running
from xnovu_poller.dev.standin.shapes import (
    EVENT_BYTES,
    EVENTS_PER_BULK,
    Recipient,
    check_event,
    check_size,
    read_channels,
    read_enterprise,
    read_recipients,
    read_rendered,
)
from xnovu_poller.dev.standin.workflows import WorkflowBehaviour, check_payload


class Events:
    """The calls under /v1/events."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def trigger(self, call: Call) -> Answer:
        """POST /v1/events/trigger."""
        if call.size > EVENT_BYTES:
            check_size(call.body, "event")
        return success(201, self._note(call.body, self._accept(call.body)))

    def bulk(self, call: Call) -> Answer:
        """POST /v1/events/trigger/bulk: answers in the order of the events; only the invalid events fail."""
        self._environment.tallies["bulks"] += 1
        events = call.fields().get("events")
        if not isinstance(events, list) or not 1 <= len(events) <= EVENTS_PER_BULK:
            raise invalid({"events": [f"events must hold 1 to {EVENTS_PER_BULK} elements"]})
        if call.size > EVENT_BYTES:
            for index, event in enumerate(events):
                check_size(event, f"event at index {index}")
        return success(201, [self._note(event, self._accept_or_report(event)) for event in events])

    def broadcast(self, call: Call) -> Answer:
        """POST /v1/events/trigger/broadcast: to every subscriber of the environment."""
        return success(201, self._accept(call.body, broadcast=True))

    def cancel(self, call: Call) -> Answer:
        """DELETE /v1/events/trigger/{transactionId}: true if a trigger was still delayed."""
        waiting = self._environment.ledger.find_delayed(call.names["transactionId"])
        for trigger in waiting:
            self._environment.ledger.settle(trigger, State.CANCELLED)
        return success(200, bool(waiting))

    def deliver_delayed(self) -> int:
        """Deliver the delayed triggers; return how many there were."""
        waiting = self._environment.ledger.find_delayed()
        for trigger in waiting:
            self._deliver(trigger, self._recipients(trigger.body()))
        return len(waiting)

    def _note(self, event: Json, result: dict[str, Json]) -> dict[str, Json]:
        """Return the result of an event, after it was noted if the event is not processed."""
        self._environment.failed_calls.add_event(event, result)
        return result

    def _accept_or_report(self, event: Json) -> dict[str, Json]:
        try:
            return self._accept(event)
        except Refusal as refusal:
            faults = refusal.members.get("errors") if refusal.message != "workflow_not_found" else None
            return {"acknowledged": True, "status": "error", "error": _sentences(refusal.message, faults)}

    def _accept(self, body: Json, *, broadcast: bool = False) -> dict[str, Json]:
        environment = self._environment
        environment.tallies["triggers"] += 1
        event = check_event(body, addressed=not broadcast)
        transaction_id = event.get("transactionId") or f"txn-{uuid.uuid4()}"
        result: dict[str, Json] = {
            "acknowledged": True,
            "status": "processed",
            "transactionId": transaction_id,
        }
        if verdict := environment.faults.take_verdict(event):
            error = {"error": [f"scripted {verdict}"]} if verdict == "error" else {}
            return {**result, "status": verdict, **error}
        recipients = self._recipients(event)
        workflow = environment.workflows.find(
            event["name"], is_known_by_default=environment.switches.workflows_known
        )
        if not workflow.active:
            return {**result, "status": "trigger_not_active"}
        if workflow.payload_schema is not None:
            payload = check_payload(event.get("payload") or {}, workflow.payload_schema)
            event = {**event, "payload": payload}
        self._process(event, transaction_id, workflow, recipients)
        return result

    def _recipients(self, event: Mapping[str, Json]) -> Sequence[Recipient]:
        """Return the recipients in `to`, or every subscriber for a broadcast, which has no `to`."""
        if event.get("to") is None:
            return [Recipient(subscriber) for subscriber in self._environment.subscribers.ids()]
        return read_recipients(event["to"])

    def _process(
        self,
        event: Mapping[str, Json],
        transaction_id: str,
        workflow: WorkflowBehaviour,
        recipients: Sequence[Recipient],
    ) -> None:
        """Do the work of Novu's worker when it takes the trigger from its queue."""
        ledger = self._environment.ledger
        is_repeat = self._environment.switches.drop_repeats and ledger.is_repeat(transaction_id)
        steps = self._environment.created.list_steps(event["name"])
        running = list_running(steps, {"payload": event.get("payload") or {}})
        named = tuple(read_rendered(event)) or workflow.channels or read_channels(event)
        channels = [step.type for step in running] if steps else named
        trigger = ledger.accept(event, transaction_id, read_enterprise(event), channels, steps)
        if is_repeat:
            ledger.settle(trigger, State.DROPPED)
        elif workflow.delayed:
            ledger.settle(trigger, State.DELAYED)
        else:
            self._deliver(trigger, recipients)

    def _deliver(self, trigger: AcceptedTrigger, recipients: Sequence[Recipient]) -> None:
        """Resolve topics and deliver to each subscriber once."""
        environment = self._environment
        reached: dict[str, None] = {}
        for recipient in recipients:
            if recipient.topic:
                members = environment.topics.list_subscribers(recipient.key)
                reached.update(dict.fromkeys(member for member in members if member not in recipient.exclude))
            else:
                environment.subscribers.upsert(recipient.key, recipient.profile)
                reached[recipient.key] = None
        environment.ledger.settle(trigger, State.DELIVERED if reached else State.NOBODY, list(reached))


def _sentences(message: Json, faults: Json) -> list[str]:
    """Return an error as the list of sentences in an item of a bulk answer."""
    if isinstance(faults, dict):
        return [sentence for fault in faults.values() for sentence in fault["messages"]]
    if isinstance(faults, list):
        return [f"{fault['field']}: {fault['message']}" for fault in faults]
    return [str(message)]
