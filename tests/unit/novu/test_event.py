"""What is sent: the same bytes under the same key."""

import json
from typing import Any

import pytest

from xnovu_poller.errors import NovuRejected
from xnovu_poller.lifecycle import Sender
from xnovu_poller.novu import Event
from xnovu_poller.novu.event import EVENT_BYTES


def event(payload: dict[str, Any] | None = None, **changes: Any) -> Event:  # noqa: ANN401 - any field
    """An event with the given changes."""
    fields: dict[str, Any] = {
        "workflow_key": "order-shipped",
        "recipients": ("subscriber-1", "topic:warehouse"),
        "payload": {"order": 7} if payload is None else payload,
        "overrides": None,
        "transaction_id": "xn-1",
        "refusals": 0,
        "source": Sender("acme", "order-shipped", "xn-1"),
    }
    return Event(**{**fields, **changes})


def test_the_body_says_who_is_told_what_and_under_which_transaction() -> None:
    """A topic is addressed by its key, a subscriber by its id."""
    assert json.loads(event().body()) == {
        "name": "order-shipped",
        "to": ["subscriber-1", {"type": "Topic", "topicKey": "warehouse"}],
        "payload": {"order": 7},
        "transactionId": "xn-1",
    }


def test_overrides_travel_when_there_are_any() -> None:
    """Novu's overrides are passed on as they are."""
    overrides = {"providers": {"sendgrid": {"templateId": "1"}}}
    assert json.loads(event(overrides=overrides).body())["overrides"] == overrides


def test_the_order_of_keys_does_not_change_the_bytes() -> None:
    """The same notification, read again, is the same request."""
    one, other = event({"a": 1, "b": {"c": 2, "d": "ä"}}), event({"b": {"d": "ä", "c": 2}, "a": 1})
    assert one.body() == other.body()
    assert one.idempotency_key() == other.idempotency_key()
    assert "ä".encode() in one.body()


def test_the_key_changes_with_transaction_refusals_and_body() -> None:
    """A refusal frees us from the stored error, an unknown outcome does not."""
    events = [event(), event(refusals=1), event(transaction_id="xn-2"), event({"order": 8})]
    keys = {each.idempotency_key() for each in events}
    assert len(keys) == len(events)
    assert {len(key) for key in keys} == {64}


def test_an_event_above_novus_limit_is_rejected_unsent() -> None:
    """The limit counts bytes; the last byte within it is allowed."""
    room = EVENT_BYTES - len(event({"text": ""}).body())
    assert len(event({"text": "x" * room}).body()) == EVENT_BYTES
    with pytest.raises(NovuRejected, match=r"413 \(too_large\)"):
        event({"text": "x" * (room + 1)}).body()
    with pytest.raises(NovuRejected):
        event({"text": "ä" * room}).body()


def test_attachments_do_not_count_towards_the_limit() -> None:
    """Novu weighs attachments apart."""
    attached = {"attachments": [{"file": "x" * EVENT_BYTES, "name": "a.pdf", "mime": "application/pdf"}]}
    assert len(event(attached).body()) > EVENT_BYTES
    with pytest.raises(NovuRejected):
        event({**attached, "text": "x" * EVENT_BYTES}).body()


@pytest.mark.parametrize("payload", [{"amount": float("inf")}, {"text": "\ud800"}])
def test_what_json_cannot_say_is_rejected_without_quoting_it(payload: dict[str, Any]) -> None:
    """PostgreSQL's numbers reach further than ours; one such row is rejected, no value is told."""
    with pytest.raises(NovuRejected) as caught:
        event(payload).body()
    assert str(caught.value) == "Novu: rejects it with 400 (not_json)"
    assert caught.value.__cause__ is None
