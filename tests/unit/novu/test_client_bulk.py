"""A bulk call gives each event its own outcome."""

import json
from dataclasses import replace

import httpx
import pytest

from tests.support.clock import Clock
from tests.support.wire import (
    OPENAPI,
    Answer,
    Wire,
    accept,
    build,
    bulk_else_single,
    conforms,
    enveloped,
    event,
    failing,
    kind,
    processed,
    reported,
)
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import (
    NovuBlocked,
    NovuRejected,
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import Accepted, Outcome, Refused, Unknown
from xnovu_poller.novu import Novu
from xnovu_poller.novu.client import BULK_GROWS_AFTER
from xnovu_poller.novu.event import EVENT_BYTES


async def test_a_bulk_call_conforms_to_novus_openapi_document(novu: Novu, wire: Wire) -> None:
    """The events keep their order, and each is the same as in a single call."""
    events = [event(1), event(2)]
    assert await novu.trigger_bulk(events) == [Accepted(), Accepted()]
    [request] = wire.requests
    assert "post" in OPENAPI["paths"][request.url.path]
    conforms("BulkTriggerEventDto", request.content)
    assert json.loads(request.content)["events"] == [json.loads(each.body()) for each in events]
    assert len(request.headers["Idempotency-Key"]) == 64


async def test_a_bulk_call_of_one_event_is_a_trigger_and_of_none_is_no_call(novu: Novu, wire: Wire) -> None:
    """Novu's rate limit counts a bulk call as a hundred."""
    assert await novu.trigger_bulk([]) == []
    assert await novu.trigger_bulk([event()]) == [Accepted()]
    assert wire.paths == ["/v1/events/trigger"]


async def test_an_event_that_cannot_be_encoded_harms_no_other(novu: Novu, wire: Wire) -> None:
    """It is refused unsent."""
    deep = b'{"deep":' + b"[" * 3_000 + b"]" * 3_000 + b',"text":"' + b"x" * EVENT_BYTES + b'"}'
    outcomes = await novu.trigger_bulk([event(1), replace(event(2), payload=deep), event(3)])
    assert [type(outcome) for outcome in outcomes] == [Accepted, Refused, Accepted]
    assert len(json.loads(wire.requests[0].content)["events"]) == 2


async def test_each_event_of_a_bulk_call_has_its_own_outcome(novu: Novu, wire: Wire) -> None:
    """One bad event does not affect the others, and the items may come in any order."""
    bad = {"acknowledged": True, "status": "error", "error": ["workflow_not_found"]}
    wire.answer = lambda _: enveloped([processed("xn-3"), bad, processed("xn-1")])
    outcomes = await novu.trigger_bulk([event(1), event(2), event(3)])
    assert [kind(outcome) for outcome in outcomes] == [
        (Accepted, None),
        (Refused, NovuRejected),
        (Accepted, None),
    ]


@pytest.mark.parametrize("content", [None, {}, "processed", []])
async def test_events_that_a_bulk_answer_leaves_out_are_unknown(
    content: object, novu: Novu, wire: Wire
) -> None:
    """Each of them may have been accepted."""
    wire.answer = lambda _: enveloped(content)
    outcomes = await novu.trigger_bulk([event(1), event(2)])
    assert [kind(outcome) for outcome in outcomes] == [(Unknown, NovuUnanswered)] * 2


@pytest.mark.parametrize(
    "refusal",
    [failing(400), failing(422), failing(413), failing(413, json=None, text="<html>"), failing(404)],
)
async def test_events_of_a_refused_bulk_call_are_sent_one_by_one(
    refusal: Answer, novu: Novu, wire: Wire, gate: Gate
) -> None:
    """If a proxy finds the call too large, or one event is bad, the others are still sent."""
    wire.answer = bulk_else_single(refusal)
    assert await novu.trigger_bulk([event(number) for number in range(4)]) == [Accepted()] * 4
    assert sorted(wire.paths) == ["/v1/events/trigger"] * 4 + ["/v1/events/trigger/bulk"]
    assert gate.reason is None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (429, (Refused, NovuThrottled)),
        (503, (Refused, NovuUnavailable)),
        (409, (Unknown, NovuUnanswered)),
        (500, (Unknown, NovuUnanswered)),
    ],
)
async def test_events_are_not_sent_one_by_one_if_novu_could_not_serve(
    status: int, outcome: tuple[type[Outcome], type[Exception]], novu: Novu, wire: Wire
) -> None:
    """More calls would not help, and after an unknown outcome they could send twice."""
    wire.answer = failing(status)
    outcomes = await novu.trigger_bulk([event(number) for number in range(3)])
    assert [kind(each) for each in outcomes] == [outcome] * 3
    assert len(wire.requests) == 1


async def test_a_wrong_key_costs_only_one_more_call(novu: Novu, wire: Wire, gate: Gate) -> None:
    """The first trigger closes the gate for the others, which are not sent."""
    wire.answer = failing(401)
    first, *others = await novu.trigger_bulk([event(number) for number in range(50)])
    assert kind(first) == (Refused, NovuUnauthorized)
    assert {reported(each).partition(": Novu")[0] for each in others} == {
        "Novu: cannot serve now (the gate is closed"
    }
    assert len(wire.requests) == 2
    assert gate.stopped


def refusing(number: int, status: int) -> Answer:
    """Return a firewall that refuses every call that contains one event, and passes all others on."""
    return lambda request: (
        httpx.Response(status, text="<html>")
        if f'"xn-{number}"'.encode() in request.content
        else accept(request)
    )


@pytest.mark.parametrize("status", [302, 403, 413, 418])
@pytest.mark.parametrize("bad", [0, 7])
async def test_a_firewall_that_refuses_one_event_hits_no_other(
    bad: int, status: int, novu: Novu, wire: Wire, gate: Gate
) -> None:
    """Each has a call of its own after the bulk call, and a single refusal proves nothing about the address."""
    await novu.trigger(event(99))
    wire.answer = refusing(bad, status)
    outcomes = await novu.trigger_bulk([event(number) for number in range(10)])
    assert [number for number, outcome in enumerate(outcomes) if outcome != Accepted()] == [bad]
    assert kind(outcomes[bad]) == (Refused, NovuBlocked)
    assert not gate.closed


async def test_a_bulk_call_is_no_heavier_than_a_body_may_be(wire: Wire, gate: Gate) -> None:
    """A proxy would refuse it, although it takes each of the events."""
    novu = build(wire, gate, max_body_bytes=1000)
    outcomes = await novu.trigger_bulk([event(number, {"text": "x" * 300}) for number in range(7)])
    assert outcomes == [Accepted()] * 7
    assert sorted(wire.paths) == ["/v1/events/trigger"] + ["/v1/events/trigger/bulk"] * 3
    assert max(len(request.content) for request in wire.requests) < 1000
    await novu.aclose()


async def test_bulk_calls_that_a_proxy_finds_too_large_become_smaller(novu: Novu, wire: Wire) -> None:
    """The next does not cost another round of single calls."""
    events = [event(number, {"text": "x" * 30_000}) for number in range(8)]
    limit = len(b"".join(each.body() for each in events)) * 2 // 3
    wire.answer = lambda request: (
        httpx.Response(413, text="<html>") if len(request.content) > limit else accept(request)
    )
    assert await novu.trigger_bulk(events) == [Accepted()] * 8
    wire.requests.clear()
    assert await novu.trigger_bulk(events) == [Accepted()] * 8
    assert all(path.endswith("/bulk") for path in wire.paths)


async def test_bulk_calls_grow_again_a_minute_after_the_last_was_too_large(wire: Wire, clock: Clock) -> None:
    """And however often one was too large, 64 KB are allowed."""
    novu = build(wire, Gate(clock))
    events = [event(number, {"text": "x" * 5_000}) for number in range(20)]
    wire.answer = bulk_else_single(lambda _: httpx.Response(413, text="<html>"))
    for _ in range(5):
        assert await novu.trigger_bulk(events) == [Accepted()] * 20
    wire.answer = accept
    sizes = []
    for _ in range(3):
        wire.requests.clear()
        assert await novu.trigger_bulk(events) == [Accepted()] * 20
        sizes.append(len(wire.requests))
        clock.advance(BULK_GROWS_AFTER)
    assert sizes == [2, 2, 1]
    await novu.aclose()


async def test_one_bulk_call_without_an_answer_is_no_outage(novu: Novu, wire: Wire, gate: Gate) -> None:
    """A single bad event may cause it; five such calls are an outage."""
    wire.answer = failing(500)
    events = [event(number) for number in range(10)]
    await novu.trigger_bulk(events)
    assert not gate.closed
    for first in range(1, 5):
        await novu.trigger_bulk(events[first:])
    assert gate.status()["outage"] is True


async def test_an_event_that_is_too_large_is_rejected_unsent(novu: Novu, wire: Wire) -> None:
    """The other events of a bulk call are sent, and the outcomes keep their order."""
    large = event(2, {"text": "x" * EVENT_BYTES})
    outcomes = await novu.trigger_bulk([event(1), large, event(3)])
    assert [kind(outcome) for outcome in outcomes] == [
        (Accepted, None),
        (Refused, NovuRejected),
        (Accepted, None),
    ]
    assert reported(await novu.trigger(large)) == "Novu: rejects it with 413 (too_large)"
    assert len(wire.requests) == 1
