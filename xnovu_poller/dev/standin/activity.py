"""What Novu's list of notifications shows of accepted triggers: an entry for each subscriber, with a job for each step."""

from collections.abc import Mapping

from xnovu_poller.dev.standin.calls import Answer, Call, Json, format_ms, invalid, success
from xnovu_poller.dev.standin.ledger import AcceptedTrigger, Ledger, State
from xnovu_poller.dev.standin.subscribers import ENVIRONMENT

MOST_PER_PAGE = 50
"""Novu's largest page of this list."""


class Activity:
    """The call under /v1/notifications."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def list(self, call: Call) -> Answer:
        """GET /v1/notifications: an entry for each subscriber of a trigger that was not dropped, newest first.

        Of the filters, only the transaction is played.
        """
        limit, page = _read_number(call.query, "limit", 10), _read_number(call.query, "page", 0)
        if not 1 <= limit <= MOST_PER_PAGE:
            raise invalid({"limit": [f"limit must not be greater than {MOST_PER_PAGE}"]})
        entries = [
            _show(trigger, subscriber)
            for trigger in self._ledger.triggers(transaction_id=call.query.get("transactionId"))
            for subscriber in trigger.subscribers
        ]
        chosen = entries[::-1][page * limit : (page + 1) * limit]
        has_more = (page + 1) * limit < len(entries)
        return success(200, {"data": chosen, "hasMore": has_more, "page": page, "pageSize": limit})


def _show(trigger: AcceptedTrigger, subscriber: str) -> dict[str, Json]:
    name = f"{trigger.number}-{subscriber}"
    kinds = [step.type for step in trigger.steps] or list(trigger.channels)
    return {
        "_id": name,
        "_subscriberId": subscriber,
        "transactionId": trigger.transaction_id,
        "createdAt": format_ms(trigger.arrived_ms),
        "channels": kinds,
        "jobs": [_show_step(trigger, f"{name}-{kind}", kind) for kind in kinds],
        **ENVIRONMENT,
    }


def _show_step(trigger: AcceptedTrigger, name: str, kind: str) -> dict[str, Json]:
    sent = {
        "_id": name,
        "status": "Success",
        "detail": "Message sent",
        "isRetry": False,
        "isTest": False,
        "source": "Internal",
    }
    cancelled = trigger.state is State.CANCELLED
    return {
        "_id": name,
        "type": kind,
        "status": "canceled" if cancelled else "completed",
        "providerId": "novu",
        "step": {"_id": kind, "_templateId": kind, "active": True, "filters": []},
        "executionDetails": [] if cancelled else [sent],
    }


def _read_number(query: Mapping[str, str], name: str, otherwise: int) -> int:
    """Read a whole number of the query; the official client writes "10.0" for 10."""
    try:
        return int(float(query.get(name, otherwise)))
    except ValueError:
        raise invalid({name: [f"{name} must be a number"]}) from None
