import pytest

from xnovu_poller.dev.standin.calls import Json, Refusal
from xnovu_poller.dev.standin.shapes import (
    EVENT_BYTES,
    Recipient,
    check_event,
    check_size,
    read_enterprise,
    read_recipients,
    read_rendered,
)


def test_each_recipient_is_taken_once_in_order() -> None:
    """There are strings, subscribers and topics; if a subscriber is repeated, the later profile counts."""
    to = ["a", {"subscriberId": "b"}, {"type": "Topic", "topicKey": "a", "exclude": ["b"]}, "a"]
    assert read_recipients(to) == [
        Recipient("a"),
        Recipient("b", profile={"subscriberId": "b"}),
        Recipient("a", topic=True, exclude=frozenset({"b"})),
    ]


@pytest.mark.parametrize("entry", ["", 1, {}, {"topicKey": "without-a-type"}, {"subscriberId": ""}])
def test_an_entry_that_addresses_nobody_is_refused(entry: Json) -> None:
    """The answer is 422 for the whole event."""
    with pytest.raises(Refusal) as refused:
        read_recipients([entry])
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (None, {"name", "to"}),
        ({"name": "w"}, {"to"}),
        ({"to": "s"}, {"name"}),
        ({"name": 1, "to": "s", "transactionId": 1}, {"name", "transactionId"}),
        ({"name": "w", "to": "s", "payload": []}, {"payload"}),
        ({"name": "w", "to": ["s"] * 101}, {"to"}),
    ],
)
def test_every_wrong_field_is_named(event: Json, fields: set[str]) -> None:
    """The answer is 422 and names all of them at once."""
    with pytest.raises(Refusal) as refused:
        check_event(event)
    assert refused.value.status == 422
    assert set(refused.value.members["errors"]) == fields


def test_a_hundred_recipients_are_accepted() -> None:
    """A hundred is the limit. A broadcast needs no recipients."""
    event = {"name": "w", "to": [str(number) for number in range(100)]}
    assert check_event(event) == event
    assert check_event({"name": "w"}, addressed=False) == {"name": "w"}


def test_attachments_do_not_count_towards_the_size() -> None:
    """Everything else counts."""
    large = "x" * EVENT_BYTES
    check_size({"payload": {"attachments": [{"file": large}]}}, "event")
    with pytest.raises(Refusal, match="event at index 3"):
        check_size({"payload": {"text": large}}, "event at index 3")


def test_the_enterprise_and_the_text_come_from_the_payload() -> None:
    """Without them, the enterprise is unknown and there is no text."""
    text = {"email": {"subject": "Hi", "body": "there"}}
    ours = {"enterprise_id": "acme", "rendered": {**text, "sms": "no object"}}
    event = {"payload": {"xnovu": ours, "enterprise_id": "the producer's"}}
    assert (read_enterprise(event), read_rendered(event)) == ("acme", text)
    assert (read_enterprise({"payload": None}), read_rendered({})) == ("unknown", {})
    assert (read_enterprise({"payload": {"xnovu": 1}}), read_rendered({"payload": {}})) == ("unknown", {})
