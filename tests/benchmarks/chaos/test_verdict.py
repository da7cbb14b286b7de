from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.chaos.samples import sample
from benchmarks.chaos.verdict import Row, Verdict, judge
from xnovu_poller.dev.demo.tally import Arrival
from xnovu_poller.dev.sample.notifications import SampleNotification
from xnovu_poller.lifecycle import Status

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SENT = Row(status=Status.SENT)
SAMPLE = replace(sample(0), recipients=("a", "b"))
KEY = "soak-0"


def arrival(*subscribers: str, transaction: str = "xn-1") -> Arrival:
    """Return a trigger that Novu accepted."""
    return Arrival(transaction_id=transaction, at=NOON, channels=frozenset(), subscribers=subscribers)


def judged(row: Row | None, *arrivals: Arrival, notification: SampleNotification = SAMPLE) -> Verdict:
    """Judge a single notification."""
    return judge({KEY: notification}, {} if row is None else {KEY: row}, arrivals)


def test_a_notification_delivered_once_is_no_fault() -> None:
    """One trigger or several chunks may deliver it; a repeat that Novu dropped reached nobody."""
    verdict = judged(SENT, arrival("a", transaction="xn-1-1"), arrival("b", transaction="xn-1-2"), arrival())

    assert verdict.faults == ()
    assert (verdict.rows, verdict.deliveries, verdict.repeats) == (1, 2, 1)
    assert verdict.states == Counter({("SENT", ""): 1})


def test_an_unreached_recipient_is_a_loss() -> None:
    """This is so even if the row is SENT."""
    assert judged(SENT, arrival("a")).lost == (f"{KEY}: SENT, but b was not reached",)


def test_a_missing_row_is_a_loss() -> None:
    """Every committed row must exist."""
    assert len(judged(None).lost) == 1


def test_a_death_without_a_reason_is_a_loss() -> None:
    """A death with a reason is allowed, and counted under the reason."""
    assert len(judged(Row(status=Status.DEAD)).lost) == 1

    verdict = judged(Row(status=Status.DEAD, reason="poison"))
    assert verdict.faults == ()
    assert verdict.states == Counter({("DEAD", "poison"): 1})


def test_a_recipient_reached_twice_is_a_duplicate() -> None:
    """Novu would not drop a repeat under another transaction id."""
    twice = judged(SENT, arrival("a", "b"), arrival("b", transaction="xn-2"))

    assert twice.duplicates == ("b: reached 2 times",)
    assert twice.faults == twice.duplicates


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.FAILED])
def test_a_row_that_is_not_final_is_unsettled(status: Status) -> None:
    """The drain lasted long enough for every row."""
    row = Row(status=status, reason="novu_unanswered")

    assert judged(row).unsettled == (f"{KEY}: still {status} (novu_unanswered)",)


def test_a_remaining_lease_is_a_fault() -> None:
    """The state does not matter."""
    assert len(judged(replace(SENT, held=True), arrival("a", "b")).held) == 1


def test_only_withdrawn_and_expiring_notifications_may_be_retracted() -> None:
    """Nobody asked to retract the others."""
    row = Row(status=Status.RETRACTED, reason="expired")

    assert len(judged(row).lost) == 1
    assert judged(row, notification=replace(SAMPLE, expires_after=timedelta(seconds=2))).faults == ()
    assert judged(row, notification=replace(SAMPLE, retract=True)).faults == ()


def test_a_retracted_row_with_a_delivery_must_be_marked() -> None:
    """RETRACTED without a mark means that nothing was accepted."""
    withdrawn = replace(SAMPLE, retract=True)
    row = Row(status=Status.RETRACTED)

    assert len(judged(row, arrival("a"), notification=withdrawn).untrue) == 1
    assert judged(replace(row, unknown=True), arrival("a"), notification=withdrawn).faults == ()


def test_an_unknown_subscriber_in_the_ledger_is_a_fault() -> None:
    """No notification was addressed to them."""
    assert judged(SENT, arrival("a", "b", "c")).untrue == ("c: reached, but belongs to no notification",)
