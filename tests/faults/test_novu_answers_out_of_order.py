"""Novu answers the events of a bulk call in another order: each outcome still belongs to its own event."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.novu import NovuStandIn
from tests.support.waiting import WITHIN
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
    client = Novu(novu_standin.url, "key-1", timedelta(seconds=WITHIN), Gate())
    yield client
    await client.aclose()


def write_answer(*numbers: int) -> str:
    """Write the answer to a bulk call, with its items in this order."""
    items = [ERROR if number == REFUSED else processed(f"xn-{number}") for number in numbers]
    return json.dumps({"data": items})


@pytest.mark.parametrize("order", [[5, 4, 3, 2, 1], [2, 4, 1, 5, 3]], ids=["backwards", "shuffled"])
async def test_each_outcome_belongs_to_its_own_event(
    novu: Novu, novu_standin: NovuStandIn, order: list[int]
) -> None:
    """By transaction id: the refused event is refused, and all others reach their subscribers."""
    novu_standin.fault("malformed", body=write_answer(*order))

    outcomes = await novu.trigger_bulk([event(number) for number in NUMBERS])

    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, Accepted, Refused, Accepted]
    assert sorted(novu_standin.deliveries()) == [
        (f"xn-{number}", f"subscriber-{number}") for number in NUMBERS if number != REFUSED
    ]


async def test_events_missing_from_the_answer_are_unknown(novu: Novu, novu_standin: NovuStandIn) -> None:
    """They may have been accepted. Only they are repeated, Novu drops what it has, and nobody gets it twice."""
    novu_standin.fault("malformed", body=write_answer(5, 4, 2))
    events = [event(number) for number in NUMBERS]

    outcomes = await novu.trigger_bulk(events)
    assert [type(outcome_of_event) for outcome_of_event in outcomes] == [
        Unknown,
        Accepted,
        Unknown,
        Refused,
        Accepted,
    ]
    missing = [sent for sent, outcome in zip(events, outcomes, strict=True) if isinstance(outcome, Unknown)]
    assert [type(outcome_of_repeat) for outcome_of_repeat in await novu.trigger_bulk(missing)] == [
        Accepted,
        Accepted,
    ]

    assert set(novu_standin.deliveries().values()) == {1}
    assert novu_standin.stats()["deliveries"] == len(NUMBERS) - 1
