"""Single calls to Novu: any answer is returned, and a failure shows whether Novu may have the call."""

from datetime import timedelta

import pytest

from tests.support.novu import NovuStandIn
from tests.support.ports import closed_port
from tests.support.waiting import WITHIN
from xnovu_poller.errors import NovuUnanswered, NovuUnavailable
from xnovu_poller.novu.calls import Client


async def test_an_answer_is_returned_with_any_status(novu_standin: NovuStandIn) -> None:
    """The caller decides what it means."""
    client = Client(novu_standin.url, "hush", timedelta(seconds=WITHIN))
    assert (await client.send("GET", "v2/workflows/none")).status_code == 404
    event = {"name": "welcome", "to": "s-1"}
    assert (
        await client.send("POST", "v1/events/trigger", event, {"Idempotency-Key": "k"})
    ).status_code == 201

    novu_standin.fault("reset_before_accept")
    with pytest.raises(NovuUnanswered):
        await client.send("POST", "v1/events/trigger", event)
    await client.aclose()


async def test_a_call_that_was_not_sent_is_known_as_such() -> None:
    """It may be made again."""
    with closed_port() as port:
        client = Client(f"http://127.0.0.1:{port}", "hush", timedelta(seconds=WITHIN))
        with pytest.raises(NovuUnavailable, match="the connection was refused"):
            await client.send("GET", "v2/workflows")
        await client.aclose()
