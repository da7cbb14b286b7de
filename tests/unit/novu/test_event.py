"""The request: the same bytes under the same key."""

import json
from dataclasses import replace
from typing import Any

import pytest

from xnovu_poller.errors import NovuRejected
from xnovu_poller.lifecycle import Origin
from xnovu_poller.novu import Event
from xnovu_poller.novu.event import EVENT_BYTES, split_members


def event(payload: dict[str, Any] | None = None, **changes: Any) -> Event:  # noqa: ANN401 - any field
    """Return an event with the given changes."""
    fields: dict[str, Any] = {
        "workflow_key": "order-shipped",
        "recipients": ("subscriber-1", "topic:warehouse"),
        "payload": json.dumps({"order": 7} if payload is None else payload, ensure_ascii=False).encode(),
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
    assert json.loads(event(overrides=json.dumps(overrides).encode()).body())["overrides"] == overrides


def test_profiles_actor_context_and_exclusions_are_sent_if_there_are_any() -> None:
    """A profile is the producer's bytes; a topic has the exclusions."""
    told = event(
        actor="editor-1",
        context=b'{"project": "p-17"}',
        exclude=("editor-1",),
        profiles={"subscriber-1": '{"email": "a@example.org", "data": {"n": 1.10}}', "gone": "{}"},
    )

    assert told.body() == (
        b'{"actor":"editor-1","name":"order-shipped","context":{"project": "p-17"},"payload":{"order": 7},'
        b'"to":[{"subscriberId":"subscriber-1","email": "a@example.org", "data": {"n": 1.10}},'
        b'{"exclude":["editor-1"],"topicKey":"warehouse","type":"Topic"}],"transactionId":"xn-1"}'
    )
    assert b'"to":["subscriber-1",' in replace(told, profiles={"subscriber-1": "{}"}).body()


def test_the_payload_is_sent_byte_for_byte() -> None:
    """No number changes its digits."""
    stored = '{"b": 1.10, "a": [1e400, "ä\\n"]}'.encode()
    assert replace(event(), payload=stored).body() == (
        b'{"name":"order-shipped","payload":' + stored + b',"to":["subscriber-1",'
        b'{"topicKey":"warehouse","type":"Topic"}],"transactionId":"xn-1"}'
    )


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


def test_a_payload_that_cannot_be_split_is_rejected_and_not_quoted() -> None:
    """What passes elsewhere may be nested too deep here, where the stack is another."""
    deep = b'{"deep":' + b"[" * 200_000 + b"]" * 200_000 + b',"text":"' + b"x" * EVENT_BYTES + b'"}'
    with pytest.raises(NovuRejected) as caught:
        replace(event(), payload=deep).body()
    assert str(caught.value) == "Novu: rejects it with 400 (not_json)"


@pytest.mark.parametrize(
    ("document", "members"),
    [
        (b"{}", {}),
        (b'{"a":1.10,"b c":{"x":[1, 2]},"":"}"}', {"a": "1.10", "b c": '{"x":[1, 2]}', "": '"}"'}),
        (b'{"n": ' + b"9" * 5_000 + b', "e": 1e400}', {"n": "9" * 5_000, "e": "1e400"}),
    ],
)
def test_an_object_is_split_into_the_texts_of_its_values(document: bytes, members: dict[str, str]) -> None:
    """They are the same characters as before."""
    assert split_members(document) == members
