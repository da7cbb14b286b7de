"""The request: the same bytes under the same key."""

import json
from typing import Any

import pytest

from xnovu_poller.errors import NovuRejected
from xnovu_poller.lifecycle import Origin
from xnovu_poller.novu import Event
from xnovu_poller.novu.event import EVENT_BYTES


def event(payload: dict[str, Any] | None = None, **changes: Any) -> Event:  # noqa: ANN401 - any field
    """Return an event with the given changes."""
    fields: dict[str, Any] = {
        "workflow_key": "order-shipped",
        "recipients": ("subscriber-1", "topic:warehouse"),
        "payload": {"order": 7} if payload is None else payload,
        "overrides": None,
        "transaction_id": "xn-1",
        "refusals": 0,
        "origin": Origin("acme", "order-shipped", "xn-1"),
    }
    return Event(**{**fields, **changes})


def test_the_body_has_recipients_payload_and_transaction() -> None:
    """A topic is addressed by its key, a subscriber by its id."""
    assert json.loads(event().body()) == {
        "name": "order-shipped",
        "to": ["subscriber-1", {"type": "Topic", "topicKey": "warehouse"}],
        "payload": {"order": 7},
        "transactionId": "xn-1",
    }


def test_overrides_are_sent_unchanged_if_there_are_any() -> None:
    """They belong to Novu."""
    overrides = {"providers": {"sendgrid": {"templateId": "1"}}}
    assert json.loads(event(overrides=overrides).body())["overrides"] == overrides


def test_the_order_of_keys_does_not_change_the_bytes() -> None:
    """The same notification, read again, must be the same request."""
    first, second = event({"a": 1, "b": {"c": 2, "d": "ä"}}), event({"b": {"d": "ä", "c": 2}, "a": 1})
    assert first.body() == second.body()
    assert first.idempotency_key() == second.idempotency_key()
    assert "ä".encode() in first.body()


def test_the_key_changes_with_transaction_refusals_and_body() -> None:
    """After a refusal we need a new answer; after an unknown outcome Novu must recognise the repeat."""
    events = [event(), event(refusals=1), event(transaction_id="xn-2"), event({"order": 8})]
    keys = {each.idempotency_key() for each in events}
    assert len(keys) == len(events)
    assert {len(key) for key in keys} == {64}


def test_an_event_above_novus_limit_is_rejected_unsent() -> None:
    """The limit counts bytes, and an event of exactly the limit is allowed."""
    room = EVENT_BYTES - len(event({"text": ""}).body())
    assert len(event({"text": "x" * room}).body()) == EVENT_BYTES
    with pytest.raises(NovuRejected, match=r"413 \(too_large\)"):
        event({"text": "x" * (room + 1)}).body()
    with pytest.raises(NovuRejected):
        event({"text": "ä" * room}).body()


def test_attachments_do_not_count_towards_the_limit() -> None:
    """Novu counts attachments separately."""
    attached = {"attachments": [{"file": "x" * EVENT_BYTES, "name": "a.pdf", "mime": "application/pdf"}]}
    assert len(event(attached).body()) > EVENT_BYTES
    with pytest.raises(NovuRejected):
        event({**attached, "text": "x" * EVENT_BYTES}).body()


@pytest.mark.parametrize("payload", [{"amount": float("inf")}, {"text": "\ud800"}])
def test_a_value_that_json_cannot_hold_is_rejected_and_not_quoted(payload: dict[str, Any]) -> None:
    """PostgreSQL's numbers can be larger than JSON's; only such a row is rejected."""
    with pytest.raises(NovuRejected) as caught:
        event(payload).body()
    assert str(caught.value) == "Novu: rejects it with 400 (not_json)"
    assert caught.value.__cause__ is None
