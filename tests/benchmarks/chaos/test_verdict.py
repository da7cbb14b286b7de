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
ONE = replace(sample(0), recipients=("a", "b"))
KEY = "soak-0"


def arrival(*subscribers: str, transaction: str = "xn-1") -> Arrival:
    """Give a trigger that Novu accepted."""
    return Arrival(transaction_id=transaction, at=NOON, channels=frozenset(), subscribers=subscribers)


def judged(row: Row | None, *arrivals: Arrival, one: SampleNotification = ONE) -> Verdict:
    """Judge one notification."""
    return judge({KEY: one}, {} if row is None else {KEY: row}, arrivals)


def test_what_was_sent_and_delivered_once_is_well() -> None:
    """In one trigger or in several chunks; a repeat that Novu dropped reached nobody."""
    verdict = judged(SENT, arrival("a", transaction="xn-1-1"), arrival("b", transaction="xn-1-2"), arrival())

    assert verdict.faults == ()
    assert (verdict.rows, verdict.deliveries, verdict.repeats) == (1, 2, 1)
    assert verdict.states == Counter({("SENT", ""): 1})


def test_a_recipient_who_was_not_reached_is_lost() -> None:
    """Though the row says SENT."""
    assert judged(SENT, arrival("a")).lost == (f"{KEY}: SENT, but b was not reached",)


def test_a_row_that_is_gone_is_lost() -> None:
    """What was committed has to be there."""
    assert len(judged(None).lost) == 1


def test_a_death_without_a_reason_is_a_loss() -> None:
    """With a reason it is lawful, and counted under it."""
    assert len(judged(Row(status=Status.DEAD)).lost) == 1

    verdict = judged(Row(status=Status.DEAD, reason="poison"))
    assert verdict.faults == ()
    assert verdict.states == Counter({("DEAD", "poison"): 1})


def test_a_recipient_who_was_reached_twice_is_a_duplicate() -> None:
    """Also under another transaction id, which Novu would not drop."""
    twice = judged(SENT, arrival("a", "b"), arrival("b", transaction="xn-2"))

    assert twice.duplicates == ("b: reached 2 times",)
    assert twice.faults == twice.duplicates


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.FAILED])
def test_a_row_that_is_not_final_is_unsettled(status: Status) -> None:
    """The drain was long enough."""
    row = Row(status=status, reason="novu_unanswered")

    assert judged(row).unsettled == (f"{KEY}: still {status} (novu_unanswered)",)


def test_a_lease_that_is_left_is_a_fault() -> None:
    """Whatever the state."""
    assert len(judged(replace(SENT, held=True), arrival("a", "b")).held) == 1


def test_only_what_was_withdrawn_or_expires_may_be_retracted() -> None:
    """Anything else was taken back by nobody."""
    row = Row(status=Status.RETRACTED, reason="expired")

    assert len(judged(row).lost) == 1
    assert judged(row, one=replace(ONE, expires_after=timedelta(seconds=2))).faults == ()
    assert judged(row, one=replace(ONE, retract=True)).faults == ()


def test_a_retracted_row_must_own_up_to_a_delivery() -> None:
    """RETRACTED without a mark says that nothing was accepted."""
    withdrawn = replace(ONE, retract=True)
    row = Row(status=Status.RETRACTED)

    assert len(judged(row, arrival("a"), one=withdrawn).untrue) == 1
    assert judged(replace(row, unknown=True), arrival("a"), one=withdrawn).faults == ()


def test_a_stranger_in_the_ledger_is_a_fault() -> None:
    """Nobody has promised them anything."""
    assert judged(SENT, arrival("a", "b", "c")).untrue == ("c: reached, and belongs to no notification",)
