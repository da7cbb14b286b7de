import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.novu import NovuStandIn, running_standin
from tests.support.waiting import WITHIN, wait_until
from xnovu_poller.dev.standin.buckets import Buckets
from xnovu_poller.dev.standin.environment import Environment

TRIGGER = "/v1/events/trigger"
EVENT = {
    "name": "welcome",
    "to": "s-1",
    "transactionId": "xn-1",
    "payload": {"xnovu": {"enterprise_id": "acme"}},
}


def client_of(standin: NovuStandIn) -> httpx.Client:
    """Return a client with a key."""
    headers = {"Authorization": "ApiKey secret"}
    return httpx.Client(base_url=standin.url, headers=headers, timeout=WITHIN)


@pytest.fixture
def api(novu_standin: NovuStandIn) -> Iterator[httpx.Client]:
    """A client with a key."""
    with client_of(novu_standin) as client:
        yield client


def accepted(novu_standin: NovuStandIn) -> int:
    """Count the accepted triggers."""
    return novu_standin.stats()["accepted"]


@pytest.mark.parametrize(("kind", "count"), [("reset_before_accept", 0), ("accept_then_reset", 1)])
def test_a_reset_looks_the_same_before_and_after_the_acceptance(
    api: httpx.Client, novu_standin: NovuStandIn, kind: str, count: int
) -> None:
    """The caller cannot see whether the trigger was accepted."""
    novu_standin.fault(kind)
    with pytest.raises(httpx.ReadError):
        api.post(TRIGGER, json=EVENT)
    assert accepted(novu_standin) == count
    assert api.post(TRIGGER, json=EVENT).status_code == 201
    assert novu_standin.deliveries() == {("xn-1", "s-1"): 1}


@pytest.mark.parametrize(("kind", "count"), [("hang_before_accept", 0), ("accept_then_hang", 1)])
def test_a_hanging_call_never_answers(
    api: httpx.Client, novu_standin: NovuStandIn, kind: str, count: int
) -> None:
    """Only the caller's time-out ends it."""
    novu_standin.fault(kind)
    with pytest.raises(httpx.ReadTimeout):
        api.post(TRIGGER, json=EVENT, timeout=httpx.Timeout(WITHIN, read=0.2))
    wait_until(lambda: (novu_standin.stats()["faults"], accepted(novu_standin)) == (1, count))


def test_a_hanging_call_ends_with_a_reset_when_its_time_is_over(
    api: httpx.Client, novu_standin: NovuStandIn
) -> None:
    """It also ends when the script is cleared."""
    novu_standin.fault("accept_then_hang", seconds=0.05)
    with pytest.raises(httpx.ReadError):
        api.post(TRIGGER, json=EVENT)


def test_an_answer_can_be_lost_on_the_way(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """Novu accepts, but the caller gets a proxy's 502 or half an answer."""
    novu_standin.fault("accept_then_status", status=502, body="<h1>Bad Gateway</h1>")
    assert api.post(TRIGGER, json=EVENT).status_code == 502
    novu_standin.fault("malformed")
    broken = api.post(TRIGGER, json=EVENT)
    assert broken.status_code == 201
    with pytest.raises(ValueError, match="Expecting value"):
        broken.json()
    assert accepted(novu_standin) == 2


def test_a_verdict_is_for_its_own_event(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """The other events of a bulk call are accepted."""
    novu_standin.fault("verdict", verdict="invalid_recipients", match={"transaction_id": "xn-2"})
    events = [EVENT, {**EVENT, "transactionId": "xn-2"}]
    items = api.post(f"{TRIGGER}/bulk", json={"events": events}).json()["data"]
    assert [item["status"] for item in items] == ["processed", "invalid_recipients"]
    assert accepted(novu_standin) == 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("disorder", [("xn-2", "processed"), ("xn-1", "processed")]),
        ("omit", [("xn-1", "processed")]),
        ("mumble", [("xn-1", "processed"), (None, None)]),
    ],
)
def test_the_answer_to_a_bulk_call_can_be_falsified(
    api: httpx.Client, novu_standin: NovuStandIn, kind: str, expected: list[tuple[str | None, str | None]]
) -> None:
    """All events are accepted, although matching items are missing or wrong; a single call is not affected."""
    novu_standin.fault(kind, match={"transaction_id": "xn-2"})
    events = [EVENT, {**EVENT, "transactionId": "xn-2"}]
    assert api.post(TRIGGER, json=events[1]).json()["data"]["status"] == "processed"
    items = api.post(f"{TRIGGER}/bulk", json={"events": events}).json()["data"]
    assert [(item.get("transactionId"), item.get("status")) for item in items] == expected
    assert (accepted(novu_standin), novu_standin.stats()["bulks"], novu_standin.faults()) == (3, 1, [])


def test_the_script_is_consumed_and_can_be_read_and_cleared(
    api: httpx.Client, novu_standin: NovuStandIn
) -> None:
    """The rest of the script can be read; an unreadable script is refused."""
    novu_standin.fault("status", status=500, times=2)
    assert api.post(TRIGGER, json=EVENT).status_code == 500
    assert [line["times"] for line in novu_standin.faults()] == [1]
    novu_standin.clear_faults()
    assert api.post(TRIGGER, json=EVENT).status_code == 201
    with pytest.raises(httpx.HTTPStatusError):
        novu_standin.fault("no such kind")


def test_novus_error_is_stored_under_the_key_and_a_proxys_is_not(
    api: httpx.Client, novu_standin: NovuStandIn
) -> None:
    """A repeat under the key gets Novu's error for a day, but passes after a proxy's error."""
    novu_standin.switch(idempotency=True)
    novu_standin.fault("status", status=500)
    novu_standin.fault("status", status=503, cached=False, match={"transaction_id": "xn-2"})
    first = api.post(TRIGGER, json=EVENT, headers={"Idempotency-Key": "k-1"})
    repeat = api.post(TRIGGER, json=EVENT, headers={"Idempotency-Key": "k-1"})
    assert (repeat.status_code, repeat.content) == (500, first.content)
    assert repeat.headers["Idempotency-Replay"] == "true"
    other = {**EVENT, "transactionId": "xn-2"}
    statuses = [
        api.post(TRIGGER, json=other, headers={"Idempotency-Key": "k-2"}).status_code for _ in range(2)
    ]
    assert statuses == [503, 201]


def test_an_answer_that_was_lost_is_repeated_under_its_key(
    api: httpx.Client, novu_standin: NovuStandIn
) -> None:
    """This is the purpose of the key."""
    novu_standin.switch(idempotency=True)
    novu_standin.fault("accept_then_reset")
    key = {"Idempotency-Key": "k-1"}
    with pytest.raises(httpx.ReadError):
        api.post(TRIGGER, json=EVENT, headers=key)
    repeat = api.post(TRIGGER, json=EVENT, headers=key)
    assert (repeat.status_code, repeat.headers["Idempotency-Replay"]) == (201, "true")
    assert repeat.headers["Idempotency-Key"] == "k-1"
    assert novu_standin.stats()["triggers"] == 1


def test_a_key_in_progress_is_refused(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """Novu answers 409 with a pause of a second, while the first call is slow."""
    novu_standin.switch(idempotency=True)
    novu_standin.fault("slow")
    key = {"Idempotency-Key": "k-1"}
    answers: list[Any] = []
    slow = threading.Thread(target=lambda: answers.append(api.post(TRIGGER, json=EVENT, headers=key)))
    slow.start()
    wait_until(lambda: not novu_standin.faults())
    refused = api.post(TRIGGER, json=EVENT, headers=key)
    assert (refused.status_code, refused.headers["Retry-After"]) == (409, "1")
    novu_standin.clear_faults()
    slow.join()
    assert answers[0].status_code == 201


def test_keys_have_no_effect_until_they_are_enabled(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """This is how a self-hosted Novu behaves."""
    for _ in range(2):
        response = api.post(TRIGGER, json=EVENT, headers={"Idempotency-Key": "k" * 300})
        assert response.status_code == 201
        assert "Idempotency-Key" not in response.headers
    assert novu_standin.stats()["triggers"] == 2


def test_a_reused_or_overlong_key_is_refused(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """422 for another body, 400 for more than 255 characters."""
    novu_standin.switch(idempotency=True)
    api.post(TRIGGER, json=EVENT, headers={"Idempotency-Key": "k"})
    other = {**EVENT, "to": "s-2"}
    assert api.post(TRIGGER, json=other, headers={"Idempotency-Key": "k"}).status_code == 422
    assert api.post(TRIGGER, json=other, headers={"Idempotency-Key": "k" * 256}).status_code == 400


def test_a_caller_over_the_limit_is_throttled() -> None:
    """A 429 has the length of the pause, and is not stored under the key."""
    environment = Environment()
    # No time passes, so a slow test does not get the next tokens.
    environment.buckets = Buckets(lambda: 0.0)
    with running_standin(environment) as standin, client_of(standin) as api:
        assert "RateLimit-Limit" not in api.post(TRIGGER, json=EVENT).headers
        standin.switch(rate_limit="free", limits={"trigger": 20}, idempotency=True)
        key = {"Idempotency-Key": "k-1"}
        bulk = {"events": [{**EVENT, "transactionId": "xn-2"}]}
        first = api.post(f"{TRIGGER}/bulk", json=bulk)
        assert (first.status_code, first.headers["RateLimit-Limit"]) == (201, "20")
        refused = api.post(f"{TRIGGER}/bulk", json=bulk, headers=key)
        assert (refused.status_code, refused.json()) == (429, "API rate limit exceeded")
        assert int(refused.headers["Retry-After"]) >= 1
        standin.switch(rate_limit="off")
        assert api.post(f"{TRIGGER}/bulk", json=bulk, headers=key).status_code == 201
        assert standin.stats()["throttled"] == 1


def test_a_reset_puts_everything_back(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """It resets ledger, subscribers, script, keys, workflows and switches."""
    novu_standin.switch(secret_key="other")
    novu_standin.fault("status")
    novu_standin.workflow("welcome", known=False)
    novu_standin.reset()
    assert api.post(TRIGGER, json=EVENT).status_code == 201
    assert novu_standin.stats()["calls"] == 1


def test_a_call_under_way_during_a_reset_is_forgotten(api: httpx.Client, novu_standin: NovuStandIn) -> None:
    """Otherwise it would appear in the ledger of the next test, although its caller may have ended."""
    answers: list[httpx.Response] = []
    novu_standin.fault("slow", seconds=60)
    slow = threading.Thread(target=lambda: answers.append(api.post(TRIGGER, json=EVENT)))
    slow.start()
    wait_until(lambda: novu_standin.stats()["faults"] == 1)
    novu_standin.reset()
    slow.join()
    assert [answer.status_code for answer in answers] == [503]
    assert accepted(novu_standin) == 0
