import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.novu import NovuStandIn
from tests.support.waiting import WITHIN

KEY = {"Authorization": "ApiKey secret"}


@pytest.fixture
def api(novu_standin: NovuStandIn) -> Iterator[httpx.Client]:
    """A client with a key."""
    with httpx.Client(base_url=novu_standin.url, headers=KEY, timeout=WITHIN) as client:
        yield client


def event(transaction_id: str = "xn-1", **members: object) -> dict[str, Any]:
    """Return an event as the worker sends it."""
    ours = {"enterprise_id": "acme", "rendered": {"email": {"subject": "Hi", "body": "<p>there</p>"}}}
    return {
        "name": "welcome",
        "to": ["s-1"],
        "transactionId": transaction_id,
        "payload": {"xnovu": ours},
        **members,
    }


def trigger(api: httpx.Client, body: dict[str, Any]) -> httpx.Response:
    """Trigger an event."""
    return api.post("/v1/events/trigger", json=body)


def test_a_trigger_is_accepted_and_delivered(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """The answer is only `processed`; the ledger has the details."""
    before = time.time_ns() // 10**6
    response = trigger(api, event())
    assert (response.status_code, response.json()) == (
        201,
        {"data": {"acknowledged": True, "status": "processed", "transactionId": "xn-1"}},
    )
    ledger = novu_standin.ledger(transaction_id="xn-1", enterprise="acme", workflow="welcome")
    (accepted,), (delivery,) = ledger["triggers"], ledger["deliveries"]
    assert (accepted["state"], accepted["channels"]) == ("delivered", ["email"])
    assert accepted["event"] == event()
    assert before <= accepted["arrived_ms"] <= time.time_ns() // 10**6
    assert delivery["subscriber_id"] == "s-1"
    assert delivery["rendered"] == {"email": {"subject": "Hi", "body": "<p>there</p>"}}
    assert api.get("/v2/subscribers/s-1").json()["data"]["subscriberId"] == "s-1"
    assert novu_standin.ledger(enterprise="other")["triggers"] == []


def test_a_repeated_transaction_is_dropped_silently(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """The answer is the same, even with another workflow and other recipients; nothing is delivered twice."""
    first = trigger(api, event())
    repeat = trigger(api, event(name="other", to=["s-1", "s-2"]))
    assert (repeat.status_code, repeat.json()) == (201, first.json())
    assert novu_standin.deliveries() == {("xn-1", "s-1"): 1}
    stats = novu_standin.stats()
    assert (stats["triggers"], stats["accepted"], stats["dropped"], stats["duplicates"]) == (2, 2, 1, 0)


def test_duplicates_are_counted_if_repeats_are_not_dropped(
    api: httpx.Client, novu_standin: NovuStandIn
) -> None:
    """So a test can detect what would have been sent twice."""
    novu_standin.switch(drop_repeats=False)
    trigger(api, event())
    trigger(api, event())
    assert novu_standin.deliveries() == {("xn-1", "s-1"): 2}
    assert novu_standin.stats()["duplicates"] == 1


def test_topics_are_resolved_at_delivery(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """Each subscriber gets it once; an unknown topic reaches nobody, without an error."""
    for subscriber in ("s-1", "s-2", "s-3"):
        api.post("/v2/subscribers", json={"subscriberId": subscriber})
    api.post("/v2/topics/all/subscriptions", json={"subscriptions": ["s-1", "s-2", "s-3"]})
    topic = {"type": "Topic", "topicKey": "all", "exclude": ["s-3"]}
    trigger(api, event(to=["s-1", topic, "s-1"]))
    assert novu_standin.deliveries() == {("xn-1", "s-1"): 1, ("xn-1", "s-2"): 1}
    unknown = trigger(api, event("xn-2", to={"type": "Topic", "topicKey": "unknown"}))
    assert unknown.json()["data"]["status"] == "processed"
    assert novu_standin.ledger(transaction_id="xn-2")["triggers"][0]["state"] == "nobody"


def test_a_bulk_call_answers_each_event_in_order(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """A bad event fails by itself."""
    novu_standin.workflow("gone", known=False)
    novu_standin.workflow("off", active=False)
    events = [event("xn-1"), event("xn-2", name="gone"), {"name": "welcome"}, event("xn-3", name="off")]
    response = api.post("/v1/events/trigger/bulk", json={"events": events})
    assert response.status_code == 201
    items = response.json()["data"]
    assert [item["status"] for item in items] == ["processed", "error", "error", "trigger_not_active"]
    assert items[1]["error"] == ["workflow_not_found"]
    assert items[2]["error"] == ["to should not be null or undefined"]
    assert novu_standin.deliveries() == {("xn-1", "s-1"): 1}


def test_a_broadcast_reaches_every_subscriber(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """It reaches the subscribers that the environment has at that moment."""
    api.post("/v1/subscribers/bulk", json={"subscribers": [{"subscriberId": "a"}, {"subscriberId": "b"}]})
    response = api.post(
        "/v1/events/trigger/broadcast", json={"name": "news", "transactionId": "b-1", "payload": {}}
    )
    assert response.status_code == 201
    assert novu_standin.deliveries() == {("b-1", "a"): 1, ("b-1", "b"): 1}


def test_only_a_waiting_trigger_can_be_cancelled(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """True if it was waiting, false if it was delivered, cancelled or never known."""
    novu_standin.workflow("digest", delayed=True)
    for transaction_id in ("xn-1", "xn-2"):
        trigger(api, event(transaction_id, name="digest"))
    cancelled = [api.delete("/v1/events/trigger/xn-1").json() for _ in range(2)]
    assert cancelled == [{"data": True}, {"data": False}]
    assert novu_standin.deliver() == 1
    assert api.delete("/v1/events/trigger/xn-2").json() == {"data": False}
    assert novu_standin.deliveries() == {("xn-2", "s-1"): 1}


def test_the_answer_depends_on_the_workflow(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """422 if it is unknown, 201 but not processed if it is inactive, 400 if the payload breaks its schema."""
    novu_standin.switch(workflows_known=False)
    unknown = trigger(api, event())
    assert (unknown.status_code, unknown.json()["message"]) == (422, "workflow_not_found")
    novu_standin.workflow("welcome", active=False)
    assert trigger(api, event()).json()["data"]["status"] == "trigger_not_active"
    schema = {"type": "object", "required": ["amount"], "properties": {"currency": {"default": "CNY"}}}
    novu_standin.workflow("welcome", payload_schema=schema)
    mismatch = trigger(api, event())
    assert (mismatch.status_code, mismatch.json()["type"]) == (400, "PAYLOAD_VALIDATION_ERROR")
    trigger(api, event(payload={"amount": 1}))
    assert novu_standin.ledger()["triggers"][0]["event"]["payload"] == {"amount": 1, "currency": "CNY"}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "Missing authorization header"),
        ({"Authorization": "Bearer secret"}, 'Invalid authentication scheme: "Bearer"'),
        ({"Authorization": "ApiKey wrong"}, "API Key not found"),
    ],
)
def test_only_the_right_key_is_accepted(
    novu_standin: NovuStandIn, headers: dict[str, str], message: str
) -> None:
    """401 with Novu's messages, in Novu's error body."""
    novu_standin.switch(secret_key="secret")
    url = f"{novu_standin.url}/v1/events/trigger"
    response = httpx.post(url, json=event(), headers=headers, timeout=WITHIN)
    body = response.json()
    assert (response.status_code, body["statusCode"], body["message"]) == (401, 401, message)
    assert body["path"] == "/v1/events/trigger"


def test_too_large_or_too_many_events_are_refused(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """The limits are half a megabyte an event, a hundred recipients, a hundred events; nothing beyond is accepted."""
    large = event(payload={"text": "x" * 524_288})
    assert trigger(api, large).status_code == 413
    bulk = api.post("/v1/events/trigger/bulk", json={"events": [event(), large]})
    assert (bulk.status_code, "index 1" in bulk.json()["message"]) == (413, True)
    assert "to" in trigger(api, event(to=["s"] * 101)).json()["errors"]
    for events in ([], [event()] * 101):
        assert api.post("/v1/events/trigger/bulk", json={"events": events}).status_code == 422
    assert trigger(api, {}).json()["errors"].keys() == {"name", "to"}
    assert novu_standin.stats()["accepted"] == 0


def test_an_unknown_call_is_an_error(api: httpx.Client) -> None:
    """404 for an unknown path, 400 for a body that is not JSON."""
    assert api.get("/v3/else").json()["message"] == "Cannot GET /v3/else"
    assert api.put("/v1/events/trigger", json={}).status_code == 404
    broken = api.post("/v1/events/trigger", content="{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400
