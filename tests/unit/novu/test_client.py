"""Each call to Novu ends in an outcome, and the gate hears of it."""

import asyncio
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
    event,
    failing,
    kind,
    mute,
    processed,
    raising,
    reported,
)
from xnovu_poller import __version__
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.errors import (
    NovuThrottled,
    NovuUnanswered,
    NovuUnauthorized,
    NovuUnavailable,
)
from xnovu_poller.lifecycle import Accepted, Outcome, Refused, Unknown
from xnovu_poller.novu import Novu

SHORT = timedelta(milliseconds=20)


async def test_a_trigger_is_what_novus_openapi_document_asks_for(novu: Novu, wire: Wire) -> None:
    """Path, method, headers and body are Novu's own."""
    sent = event()
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


def test_the_schemas_refuse_what_novu_would() -> None:
    """The comparison above is one that can fail."""
    with pytest.raises(jsonschema.ValidationError):
        conforms("TriggerEventRequestDto", b'{"name": "order-shipped", "to": [{"type": "Topic"}]}')


@pytest.mark.parametrize("url", ["https://novu.test/api", "https://novu.test/api/"])
async def test_the_address_may_have_a_path_and_a_slash(url: str, wire: Wire, gate: Gate) -> None:
    """A self-hosted Novu may live below a path."""
    client = build(wire, gate, url)
    await client.trigger(event())
    assert wire.paths == ["/api/v1/events/trigger"]
    await client.aclose()


async def test_a_repeat_is_byte_identical(novu: Novu, wire: Wire) -> None:
    """After an unknown outcome the same call is made again."""
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
    """Only before the connection stands it is sure that Novu heard nothing."""
    wire.answer = raising(error)
    assert kind(await novu.trigger(event())) == outcome


async def test_a_failure_is_told_by_its_name_alone(novu: Novu, wire: Wire) -> None:
    """The network's own words may hold an address or worse."""
    wire.answer = raising(httpx.ReadError("secret"))
    assert reported(await novu.trigger(event())) == "Novu: outcome unknown (ReadError)"


async def test_redirects_are_not_followed(novu: Novu, wire: Wire) -> None:
    """The key goes to the address that was given, and to no other."""
    wire.answer = failing(307, headers={"Location": "https://elsewhere.test/"})
    assert kind(await novu.trigger(event())) == (Refused, NovuUnauthorized)
    assert len(wire.requests) == 1


async def test_no_answer_within_the_deadline_is_unknown(novu: Novu, wire: Wire) -> None:
    """A mute Novu may have accepted."""
    wire.answer = mute
    assert kind(await novu.trigger(event(), deadline=SHORT)) == (Unknown, NovuUnanswered)


async def test_a_call_with_no_time_left_is_not_begun(novu: Novu, wire: Wire) -> None:
    """Nothing is sent outside the hold."""
    outcome = await novu.trigger(event(), deadline=timedelta(0))
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, NovuUnavailable)
    assert wire.requests == []


async def test_calls_beyond_the_connections_wait_and_are_refused_unsent(
    novu: Novu, wire: Wire, gate: Gate
) -> None:
    """Waiting counts towards the deadline, and says nothing about Novu: the gate stays open."""
    wire.answer = mute
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


async def test_a_call_that_was_cancelled_gives_its_connection_back(novu: Novu, wire: Wire) -> None:
    """A stopped worker's calls do not block those that come after."""
    wire.answer = mute
    calls = [asyncio.create_task(novu.trigger(event(number))) for number in range(4)]
    await eventually(lambda: len(wire.requests) == 2)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    wire.answer = accept
    assert await asyncio.gather(*(novu.trigger(event(number)) for number in range(4))) == [Accepted()] * 4


async def test_nothing_is_sent_while_the_gate_is_closed(novu: Novu, wire: Wire, gate: Gate) -> None:
    """What waited for a connection while the gate closed is given back unsent."""
    gate.limit_rate(0, timedelta(minutes=1))
    assert reported(await novu.trigger(event())) == "Novu: cannot serve now (the gate is closed)"
    assert wire.requests == []


async def test_the_gate_hears_outcomes_and_rate_limits(novu: Novu, wire: Wire, gate: Gate) -> None:
    """A 429 closes it for the pause that Novu names."""
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
async def test_cancel_says_whether_something_was_cancelled(
    cancelled: bool,  # noqa: FBT001 - the example
    novu: Novu,
    wire: Wire,
) -> None:
    """False: everything was delivered already, or Novu never had it."""
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
        (failing(500), NovuUnanswered),
        (lambda _: httpx.Response(200, json={"data": "yes"}), NovuUnanswered),
    ],
)
async def test_a_cancel_that_fails_says_why(
    answer: Answer, error: type[Exception], novu: Novu, wire: Wire
) -> None:
    """Whoever retracts must know whether it may have been cancelled."""
    wire.answer = answer
    with pytest.raises(error):
        await novu.cancel("xn-1")
