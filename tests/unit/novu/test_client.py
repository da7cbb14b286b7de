"""Each call to Novu ends in an outcome, and the gate observes it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import jsonschema
import pytest

from tests.support.waiting import eventually
from tests.support.wire import (
    OPENAPI,
    Answer,
    Wire,
    accept,
    build,
    conforms,
    enveloped,
    event,
    failing,
    kind,
    never_answer,
    processed,
    raising,
    reported,
)
from xnovu_poller import __version__
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

SHORT = timedelta(milliseconds=20)


async def test_a_trigger_conforms_to_novus_openapi_document(novu: Novu, wire: Wire) -> None:
    """This covers path, method, headers and body."""
    sent = replace(
        event(),
        actor="editor-1",
        context=b'{"project": {"id": "p-17", "data": {"n": 1}}, "region": "eu"}',
        exclude=("editor-1",),
        profiles={"subscriber-1": '{"email": "a@example.org", "data": {"n": 1}}'},
    )
    assert await novu.trigger(sent) == Accepted()
    [request] = wire.requests
    assert "post" in OPENAPI["paths"][request.url.path]
    assert request.method == "POST"
    assert request.content == sent.body()
    conforms("TriggerEventRequestDto", request.content)
    [parameter] = OPENAPI["paths"][request.url.path]["post"]["parameters"]
    assert request.headers[parameter["name"]] == sent.idempotency_key()
    assert request.headers["Authorization"] == "ApiKey key-1"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"] == f"xnovu-poller/{__version__}"


def test_the_openapi_schemas_refuse_an_invalid_trigger() -> None:
    """It proves that the check in the other tests can fail."""
    with pytest.raises(jsonschema.ValidationError):
        conforms("TriggerEventRequestDto", b'{"name": "order-shipped", "to": [{"type": "Topic"}]}')


@pytest.mark.parametrize("url", ["https://novu.test/api", "https://novu.test/api/"])
async def test_the_address_may_have_a_path_and_a_slash(url: str, wire: Wire, gate: Gate) -> None:
    """A self-hosted Novu may be under a path."""
    client = build(wire, gate, url)
    await client.trigger(event())
    assert wire.paths == ["/api/v1/events/trigger"]
    await client.aclose()


async def test_a_repeat_is_byte_identical(novu: Novu, wire: Wire) -> None:
    """After an unknown outcome the same call is made again, so that Novu drops it."""
    wire.answer = failing(500)
    await novu.trigger(event())
    await novu.trigger(event())
    one, other = wire.requests
    assert (one.content, one.headers) == (other.content, other.headers)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectError("x"), (Refused, NovuUnavailable)),
        (httpx.ConnectTimeout("x"), (Refused, NovuUnavailable)),
        (httpx.ProxyError("x"), (Refused, NovuUnavailable)),
        (httpx.ReadTimeout("x"), (Unknown, NovuUnanswered)),
        (httpx.ReadError("x"), (Unknown, NovuUnanswered)),
        (httpx.WriteTimeout("x"), (Unknown, NovuUnanswered)),
        (httpx.WriteError("x"), (Unknown, NovuUnanswered)),
        (httpx.RemoteProtocolError("x"), (Unknown, NovuUnanswered)),
        (httpx.DecodingError("x"), (Unknown, NovuUnanswered)),
        (OSError("x"), (Unknown, NovuUnanswered)),
    ],
)
async def test_a_failure_of_the_network_is_unknown_unless_nothing_was_sent(
    error: Exception, outcome: tuple[type[Outcome], type[Exception]], novu: Novu, wire: Wire
) -> None:
    """Only if the connection was never made is it certain that Novu got nothing."""
    wire.answer = raising(error)
    assert kind(await novu.trigger(event())) == outcome


async def test_a_failure_of_the_network_is_named_only_by_its_type(novu: Novu, wire: Wire) -> None:
    """The message may contain an address or a secret."""
    wire.answer = raising(httpx.ReadError("secret"))
    assert reported(await novu.trigger(event())) == "Novu: outcome unknown (ReadError)"


async def test_redirects_are_not_followed(novu: Novu, wire: Wire) -> None:
    """The key is sent to the configured address only."""
    wire.answer = failing(307, json=None, headers={"Location": "https://elsewhere.test/"})
    assert kind(await novu.trigger(event())) == (Refused, NovuBlocked)
    assert len(wire.requests) == 1


async def test_an_answer_to_another_transaction_is_unknown(novu: Novu, wire: Wire) -> None:
    """It does not show that this event was accepted."""
    wire.answer = lambda _: enveloped(processed("xn-2"))
    assert kind(await novu.trigger(event())) == (Unknown, NovuUnanswered)


async def test_no_cookie_is_kept(novu: Novu, wire: Wire) -> None:
    """They would pile up until a call is too large for a proxy."""
    wire.answer = lambda request: httpx.Response(
        201, json=accept(request).json(), headers={"Set-Cookie": "a=b; Path=/"}
    )
    await novu.trigger(event(1))
    await novu.trigger(event(2))
    assert all("Cookie" not in request.headers for request in wire.requests)


async def test_nothing_compressed_is_asked_for(novu: Novu, wire: Wire) -> None:
    """A few compressed bytes can become gigabytes."""
    await novu.trigger(event())
    assert wire.requests[0].headers["Accept-Encoding"] == "identity"


async def test_a_heavy_body_that_meets_a_413_is_at_fault_itself(wire: Wire, gate: Gate) -> None:
    """A proxy refuses its size, and would refuse it again; the sentence contains its weight."""
    novu = build(wire, gate, max_body_bytes=1000)
    await novu.trigger(event(9))
    wire.answer = failing(413, json=None, text="<html>413</html>")
    assert kind(await novu.trigger(event())) == (Refused, NovuBlocked)
    heavy = event(2, {"text": "x" * 1000})
    outcome = await novu.trigger(heavy)
    assert kind(outcome) == (Refused, NovuRejected)
    size = len(heavy.body())
    assert reported(outcome) == (
        f"Novu: rejects it with 413 (something in front of Novu does not take its body of {size} bytes)"
    )
    await novu.aclose()


async def test_no_answer_within_the_deadline_is_unknown(novu: Novu, wire: Wire) -> None:
    """Novu may have accepted it."""
    wire.answer = never_answer
    outcome = await novu.trigger(event(), deadline=SHORT)
    while not wire.requests:  # the machine has paused before the call, which leaves no time for it
        outcome = await novu.trigger(event(), deadline=SHORT)
    assert kind(outcome) == (Unknown, NovuUnanswered)


async def test_a_call_without_time_left_is_not_made(novu: Novu, wire: Wire) -> None:
    """Nothing is sent outside the hold."""
    outcome = await novu.trigger(event(), deadline=timedelta(0))
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, NovuUnavailable)
    assert wire.requests == []


async def test_calls_beyond_the_connections_wait_and_are_refused_unsent(
    novu: Novu, wire: Wire, gate: Gate
) -> None:
    """Waiting counts towards the deadline but proves nothing about Novu, so the gate stays open."""
    wire.answer = never_answer
    async with asyncio.TaskGroup() as group:
        busy = [group.create_task(novu.trigger(event(number))) for number in (1, 2)]
        waiting = group.create_task(novu.trigger(event(3), deadline=SHORT))
        outcome = await waiting
        for task in busy:
            task.cancel()
    assert reported(outcome) == "Novu: cannot serve now (no connection was free in time)"
    assert isinstance(outcome, Refused)
    assert len(wire.requests) == 2
    assert not gate.closed


async def test_a_cancelled_call_gives_its_connection_back(novu: Novu, wire: Wire) -> None:
    """Otherwise the cancelled calls of a worker that stops would block later calls."""
    wire.answer = never_answer
    calls = [asyncio.create_task(novu.trigger(event(number))) for number in range(4)]
    await eventually(lambda: len(wire.requests) == 2)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    wire.answer = accept
    assert await asyncio.gather(*(novu.trigger(event(number)) for number in range(4))) == [Accepted()] * 4


async def test_nothing_is_sent_while_the_gate_is_closed(novu: Novu, wire: Wire, gate: Gate) -> None:
    """A call that waited for a connection while the gate closed is released unsent."""
    gate.limit_rate(0, timedelta(minutes=1))
    assert reported(await novu.trigger(event())) == (
        "Novu: cannot serve now (the gate is closed: Novu: the rate limit is used up)"
    )
    assert wire.requests == []


async def test_the_gate_observes_outcomes_and_rate_limits(novu: Novu, wire: Wire, gate: Gate) -> None:
    """A 429 closes it for the pause that Novu asks for."""
    wire.answer = failing(429, headers={"Retry-After": "60"})
    assert kind(await novu.trigger(event())) == (Refused, NovuThrottled)
    assert gate.reason == "Novu: asks for a pause of 60 s"


async def test_an_accepted_call_that_used_up_the_limit_closes_the_gate(
    novu: Novu, wire: Wire, gate: Gate
) -> None:
    """It is accepted all the same."""
    headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": "5"}
    wire.answer = lambda _: httpx.Response(201, json={"data": processed("xn-1")}, headers=headers)
    assert await novu.trigger(event()) == Accepted()
    assert gate.reason == "Novu: the rate limit is used up"


@pytest.mark.parametrize("cancelled", [True, False])
async def test_cancel_returns_whether_something_was_cancelled(
    cancelled: bool,  # noqa: FBT001 - the example
    novu: Novu,
    wire: Wire,
) -> None:
    """False means that everything was already delivered, or that Novu does not know the transaction."""
    wire.answer = lambda _: httpx.Response(200, json={"data": cancelled})
    assert await novu.cancel("xn-1/ä") is cancelled
    [request] = wire.requests
    assert (request.method, wire.paths) == ("DELETE", ["/v1/events/trigger/xn-1%2F%C3%A4"])
    assert "delete" in OPENAPI["paths"]["/v1/events/trigger/{transactionId}"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failing(503), NovuUnavailable),
        (failing(401), NovuUnauthorized),
        (failing(405, json=None, text="<html>"), NovuBlocked),
        (failing(500), NovuUnanswered),
        (lambda _: httpx.Response(200, json={"data": "yes"}), NovuUnanswered),
    ],
)
async def test_a_failed_cancel_raises_the_reason(
    answer: Answer, error: type[Exception], novu: Novu, wire: Wire
) -> None:
    """The caller has to know whether Novu may have cancelled it."""
    wire.answer = answer
    with pytest.raises(error):
        await novu.cancel("xn-1")
