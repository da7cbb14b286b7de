"""The demo's client against the real stand-in, and the comparison of its ledger with the samples."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from tests.support.novu import NovuStandIn
from tests.support.waiting import WITHIN
from xnovu_poller.dev.children import ServerFailed
from xnovu_poller.dev.demo.standin import StandIn
from xnovu_poller.dev.demo.tally import FoundRow, compare
from xnovu_poller.dev.sample.enterprises import enterprise, topic
from xnovu_poller.dev.sample.notifications import Label, SampleNotification, notifications
from xnovu_poller.lifecycle import Channel, Status

TRANSACTION = "xn-00000000-0000-4000-8000-000000000001"


@pytest.fixture
def standin(novu_standin: NovuStandIn) -> Iterator[StandIn]:
    """The demo's client of the session's stand-in."""
    with StandIn(novu_standin.url, "any") as client:
        yield client


def trigger(novu_standin: NovuStandIn, to: object) -> int:
    """Send a trigger as the worker does, with text for two channels; return the answer's status."""
    answer = httpx.post(
        f"{novu_standin.url}/v1/events/trigger",
        headers={"Authorization": "ApiKey any"},
        timeout=WITHIN,
        json={
            "name": "default-fire-drill",
            "to": to,
            "transactionId": TRANSACTION,
            "payload": {"xnovu": {"rendered": {"in_app": {"body": "Drill"}, "sms": {"body": "Drill"}}}},
        },
    )
    return answer.status_code


def drill_for_one() -> SampleNotification:
    """Return a sample notification for a single subscriber in two channels."""
    ordinary = next(each for each in notifications() if each.label is Label.IMMEDIATE)
    return replace(ordinary, recipients=("s-1",), channels=(Channel.IN_APP, Channel.SMS))


def sent() -> FoundRow:
    """Return the row of a notification that is SENT."""
    return FoundRow(
        status=Status.SENT, attempt=1, transaction_id=TRANSACTION, due_at=datetime(2026, 3, 2, tzinfo=UTC)
    )


def test_a_registered_topic_reaches_its_subscribers(standin: StandIn, novu_standin: NovuStandIn) -> None:
    """The ledger names them all, and the channels with text."""
    wardens = topic(enterprise("harbour-towers"))
    standin.register(wardens)
    trigger(novu_standin, [{"type": "Topic", "topicKey": wardens.key}])
    (arrival,) = standin.arrivals()
    assert arrival.subscribers == wardens.subscribers
    assert arrival.channels == {Channel.IN_APP, Channel.SMS}


def test_a_scripted_refusal_applies_only_to_the_first_trigger(
    standin: StandIn, novu_standin: NovuStandIn
) -> None:
    """The next trigger is accepted."""
    standin.refuse_first(TRANSACTION, 503)
    assert trigger(novu_standin, ["s-1"]) == 503
    assert standin.arrivals() == []
    assert trigger(novu_standin, ["s-1"]) == 201
    assert len(standin.arrivals()) == 1


def test_a_repeat_that_novu_dropped_is_not_a_second_delivery(
    standin: StandIn, novu_standin: NovuStandIn
) -> None:
    """Novu promises to drop repeats, so the comparison counts deliveries."""
    for _ in range(2):
        trigger(novu_standin, ["s-1"])
    assert compare([(drill_for_one(), sent())], standin.arrivals()).differences == []


def test_a_planted_duplicate_is_found(standin: StandIn, novu_standin: NovuStandIn) -> None:
    """If Novu does not drop repeats, a second trigger reaches the subscriber again."""
    novu_standin.switch(drop_repeats=False)
    for _ in range(2):
        trigger(novu_standin, ["s-1"])
    (difference,) = compare([(drill_for_one(), sent())], standin.arrivals()).differences
    assert "1 subscribers were reached more than once" in difference


def test_a_standin_that_is_gone_is_named(standin: StandIn) -> None:
    """The error names the server and the call."""
    with StandIn("http://127.0.0.1:9", "any") as gone, pytest.raises(ServerFailed, match="novu-standin: GET"):
        gone.arrivals()
