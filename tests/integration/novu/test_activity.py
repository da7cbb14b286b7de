"""What Novu did with accepted triggers, as its list of events shows it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from tests.support.novu import NovuStandIn
from tests.support.waiting import WITHIN
from xnovu_poller.errors import NovuUnanswered, NovuUnauthorized, NovuUnavailable
from xnovu_poller.novu.activity import (
    MOST_PAGES,
    MOST_TRIGGERS,
    PER_PAGE,
    Activity,
    StepActivity,
    _steps,
    read_activity,
)
from xnovu_poller.novu.calls import Client

LIST = {"method": "GET", "path": "/v1/notifications"}


@pytest.fixture
async def novu(novu_standin: NovuStandIn) -> AsyncIterator[Client]:
    """A client of the stand-in."""
    client = Client(novu_standin.url, "key-1", timedelta(seconds=30))
    yield client
    await client.aclose()


def trigger(standin: NovuStandIn, transaction_id: str, subscribers: int) -> None:
    """Trigger a notification by e-mail."""
    event = {
        "name": "welcome",
        "to": [f"s-{number}" for number in range(subscribers)],
        "payload": {"xnovu": {"rendered": {"email": {"subject": "a", "body": "b"}}}},
        "transactionId": transaction_id,
    }
    headers = {"Authorization": "ApiKey key-1"}
    url = f"{standin.url}/v1/events/trigger"
    httpx.post(url, json=event, headers=headers, timeout=WITHIN).raise_for_status()


async def test_the_steps_are_counted_over_subscribers(novu: Client, novu_standin: NovuStandIn) -> None:
    """Over all pages and triggers, and up to a bound."""
    trigger(novu_standin, "t-1", PER_PAGE + 1)
    trigger(novu_standin, "t-2", 2)

    found = await read_activity(novu, ["t-1", "t-2", "t-3"])

    assert (found.subscribers, found.complete) == (PER_PAGE + 3, True)
    assert found.steps == [StepActivity("email", "completed", "Message sent", "novu", PER_PAGE + 3)]
    assert await read_activity(novu, ["t-3"]) == Activity(0, complete=True, steps=[])
    assert not (await read_activity(novu, ["t-3"] * (MOST_TRIGGERS + 1))).complete


async def test_no_more_pages_are_read_than_a_story_needs(novu: Client, novu_standin: NovuStandIn) -> None:
    """A notification may have thousands of recipients."""
    novu_standin.switch(drop_repeats=False)
    for _ in range(3):
        trigger(novu_standin, "t-1", 100)
    calls = novu_standin.stats()["calls"]

    found = await read_activity(novu, ["t-1"])

    assert (found.subscribers, found.complete) == (MOST_PAGES * PER_PAGE, False)
    assert novu_standin.stats()["calls"] == calls + MOST_PAGES


async def test_a_key_that_may_not_see_it_is_a_sentence(novu: Client, novu_standin: NovuStandIn) -> None:
    """So is an answer in another form, and a Novu that cannot serve."""
    novu_standin.fault("status", status=403, match=LIST)
    with pytest.raises(NovuUnauthorized, match="403"):
        await read_activity(novu, ["t-1"])
    novu_standin.clear_faults()
    novu_standin.fault("malformed", match=LIST)
    with pytest.raises(NovuUnanswered):
        await read_activity(novu, ["t-1"])
    novu_standin.clear_faults()
    novu_standin.fault("status", status=503, match=LIST)
    with pytest.raises(NovuUnavailable):
        await read_activity(novu, ["t-1"])


def test_an_entry_of_another_form_is_read_as_far_as_it_goes() -> None:
    """Novu may leave out what it documents."""
    jobs = [{"type": "trigger"}, {"type": "sms", "executionDetails": [{}]}, {"status": 7}, "job"]
    assert list(_steps({"jobs": jobs})) == [("sms", "unknown", None, None), ("step", "unknown", None, None)]
    assert list(_steps({})) == []
