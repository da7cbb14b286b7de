"""Trigger, bulk, broadcast and cancel; and the worker behind them that delivers or drops.

Novu queues an accepted trigger and a worker delivers it later; here the worker's step follows at
once, so that a test need not wait. What the caller is told is the same: nothing of it.
"""

import uuid
from collections.abc import Mapping, Sequence

from xnovu_poller.dev.standin.calls import Answer, Call, Json, Refusal, invalid, success
from xnovu_poller.dev.standin.environment import Environment
from xnovu_poller.dev.standin.ledger import Fate, Trigger
from xnovu_poller.dev.standin.shapes import (
    EVENT_BYTES,
    EVENTS_PER_BULK,
    Recipient,
    check_event,
    check_size,
    enterprise_of,
    recipients_of,
    rendered_of,
)
from xnovu_poller.dev.standin.workflows import check_payload


class Events:
    """The calls under /v1/events."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def trigger(self, call: Call) -> Answer:
        """POST /v1/events/trigger."""
        if call.size > EVENT_BYTES:
            check_size(call.body, "event")
        return success(201, self._accept(call.body))

    def bulk(self, call: Call) -> Answer:
        """POST /v1/events/trigger/bulk: answers in the order of the events; a bad one fails alone."""
        self._environment.tallies["bulks"] += 1
        events = call.fields().get("events")
        if not isinstance(events, list) or not 1 <= len(events) <= EVENTS_PER_BULK:
            raise invalid({"events": [f"events must hold 1 to {EVENTS_PER_BULK} elements"]})
        if call.size > EVENT_BYTES:
            for index, event in enumerate(events):
                check_size(event, f"event at index {index}")
        return success(201, [self._accept_or_tell(event) for event in events])

    def broadcast(self, call: Call) -> Answer:
        """POST /v1/events/trigger/broadcast: to every subscriber of the environment."""
        return success(201, self._accept(call.body, broadcast=True))

    def cancel(self, call: Call) -> Answer:
        """DELETE /v1/events/trigger/{transactionId}: true if anything still waited."""
        waiting = self._environment.ledger.delayed(call.names["transactionId"])
        for trigger in waiting:
            self._environment.ledger.settle(trigger, Fate.CANCELLED)
        return success(200, bool(waiting))

    def deliver_delayed(self) -> int:
        """Deliver what waits; give how many triggers that were."""
        waiting = self._environment.ledger.delayed()
        for trigger in waiting:
            self._deliver(trigger, self._recipients(trigger.body()))
        return len(waiting)

    def _accept_or_tell(self, event: Json) -> dict[str, Json]:
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
            event["name"], known_unless_told=environment.switches.workflows_known
        )
        if not workflow.active:
            return {**result, "status": "trigger_not_active"}
        if workflow.payload_schema is not None:
            payload = check_payload(event.get("payload") or {}, workflow.payload_schema)
            event = {**event, "payload": payload}
        channels = tuple(rendered_of(event)) or workflow.channels
        self._work(event, transaction_id, channels, recipients, delayed=workflow.delayed)
        return result

    def _recipients(self, event: Mapping[str, Json]) -> Sequence[Recipient]:
        """Read `to`; a broadcast's event has none."""
        if event.get("to") is None:
            return [Recipient(one) for one in self._environment.subscribers.ids()]
        return recipients_of(event["to"])

    def _work(
        self,
        event: Mapping[str, Json],
        transaction_id: str,
        channels: Sequence[str],
        recipients: Sequence[Recipient],
        *,
        delayed: bool,
    ) -> None:
        """Do what the worker does on taking the trigger off the queue."""
        ledger = self._environment.ledger
        repeated = self._environment.switches.drop_repeats and ledger.is_repeat(transaction_id)
        trigger = ledger.accept(event, transaction_id, enterprise_of(event), channels)
        if repeated:
            ledger.settle(trigger, Fate.DROPPED)
        elif delayed:
            ledger.settle(trigger, Fate.DELAYED)
        else:
            self._deliver(trigger, recipients)

    def _deliver(self, trigger: Trigger, recipients: Sequence[Recipient]) -> None:
        """Resolve topics and deliver, to each subscriber once."""
        environment = self._environment
        reached: dict[str, None] = {}
        for recipient in recipients:
            if recipient.topic:
                members = environment.topics.subscribers_of(recipient.key)
                reached.update(dict.fromkeys(one for one in members if one not in recipient.exclude))
            else:
                environment.subscribers.upsert(recipient.key, recipient.profile)
                reached[recipient.key] = None
        environment.ledger.settle(trigger, Fate.DELIVERED if reached else Fate.NOBODY, list(reached))


def _sentences(message: Json, faults: Json) -> list[str]:
    """Give an error as the list of sentences that an item of a bulk answer holds."""
    if isinstance(faults, dict):
        return [sentence for fault in faults.values() for sentence in fault["messages"]]
    if isinstance(faults, list):
        return [f"{fault['field']}: {fault['message']}" for fault in faults]
    return [str(message)]
