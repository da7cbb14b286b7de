"""Novu answers the events of a bulk call in another order: each outcome is still that of its own event."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.novu import NovuStandIn
from tests.support.wire import event, processed
from xnovu_poller.backpressure.gate import Gate
from xnovu_poller.lifecycle import Accepted, Refused, Unknown
from xnovu_poller.novu import Novu

NUMBERS = [1, 2, 3, 4, 5]
REFUSED = 4
ERROR = {"acknowledged": True, "status": "error", "transactionId": f"xn-{REFUSED}"}


@pytest.fixture
async def novu(novu_standin: NovuStandIn) -> AsyncIterator[Novu]:
    """A client of a stand-in that refuses one of the events."""
    novu_standin.fault("verdict", verdict="error", match={"transaction_id": f"xn-{REFUSED}"})
    client = Novu(novu_standin.url, "key-1", timedelta(seconds=5), Gate())
    yield client
    await client.aclose()


def said(*numbers: int) -> str:
    """Write the answer to a bulk call, in this order."""
    items = [ERROR if one == REFUSED else processed(f"xn-{one}") for one in numbers]
    return json.dumps({"data": items})


@pytest.mark.parametrize("order", [[5, 4, 3, 2, 1], [2, 4, 1, 5, 3]], ids=["backwards", "shuffled"])
async def test_each_outcome_is_that_of_its_own_event(
    novu: Novu, novu_standin: NovuStandIn, order: list[int]
) -> None:
    """By transaction id: the one that was refused is refused, and all others are with their subscribers."""
    novu_standin.fault("malformed", body=said(*order))

    outcomes = await novu.trigger_bulk([event(number) for number in NUMBERS])

    assert [type(one) for one in outcomes] == [Accepted, Accepted, Accepted, Refused, Accepted]
    assert sorted(novu_standin.deliveries()) == [
        (f"xn-{number}", f"subscriber-{number}") for number in NUMBERS if number != REFUSED
    ]


async def test_an_answer_that_leaves_events_out_says_nothing_of_them(
    novu: Novu, novu_standin: NovuStandIn
) -> None:
    """They may have been accepted: the repeat of those alone is dropped by Novu, and nobody is told twice."""
    novu_standin.fault("malformed", body=said(5, 4, 2))
    events = [event(number) for number in NUMBERS]

    outcomes = await novu.trigger_bulk(events)
    assert [type(one) for one in outcomes] == [Unknown, Accepted, Unknown, Refused, Accepted]
    again = [one for one, outcome in zip(events, outcomes, strict=True) if isinstance(outcome, Unknown)]
    assert [type(one) for one in await novu.trigger_bulk(again)] == [Accepted, Accepted]

    assert set(novu_standin.deliveries().values()) == {1}
    assert novu_standin.stats()["deliveries"] == len(NUMBERS) - 1
