"""Whether Novu answers: a cheap question, and only if nobody calls."""

import httpx
import pytest

from tests.support.wire import Wire, event
from xnovu_poller.novu import Novu
from xnovu_poller.novu.contact import ASKED_AFTER, Contact


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


async def test_a_silent_novu_is_asked_once_a_minute_and_without_the_key() -> None:
    """Without the key, the question counts against no rate limit."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(404)

    clock = Clock()
    headers = {"Authorization": "ApiKey hush"}
    network = httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url="http://novu/api", headers=headers, transport=network) as client:
        contact = Contact(client, clock)
        for _ in range(3):
            assert await contact.look() == "Novu: answered 0 s ago"
        clock.now += ASKED_AFTER.total_seconds()
        await contact.look()

    assert [(request.method, request.url.path) for request in asked] == [("GET", "/api/v1/health-check")] * 2
    assert all("authorization" not in request.headers for request in asked)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (httpx.Response(503), "Novu: its own check of its health answers 503"),
        (httpx.ReadError("hush"), "Novu: does not answer (ReadError)"),
        (httpx.ConnectError("hush"), "Novu: does not answer (ConnectError)"),
    ],
)
async def test_a_fault_lasts_until_somebody_hears_from_novu(
    answer: httpx.Response | Exception, fault: str
) -> None:
    """The calls of notifications are asked first: they are what matters."""

    def fail(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    headers = {"Authorization": "ApiKey hush"}
    network = httpx.MockTransport(fail)
    async with httpx.AsyncClient(base_url="http://novu", headers=headers, transport=network) as client:
        contact = Contact(client, Clock())
        assert await contact.look() == fault
        assert (await contact.look(), contact.fault) == (fault, fault)
        contact.hear()

        assert (await contact.look(), contact.fault) == ("Novu: answered 0 s ago", None)


async def test_a_call_is_as_good_as_a_question(novu: Novu, wire: Wire) -> None:
    """While calls flow, nobody asks."""
    await novu.trigger(event())

    assert (await novu.contact.look()).startswith("Novu: answered ")
    assert [request.method for request in wire.requests] == ["POST"]
