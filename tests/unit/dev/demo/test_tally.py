from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from xnovu_poller.dev.demo.tally import Arrival, FoundRow, Tally, Waits, compare
from xnovu_poller.dev.sample.enterprises import topics
from xnovu_poller.dev.sample.notifications import Label, SampleNotification, notifications
from xnovu_poller.dev.sample.suite import workflows
from xnovu_poller.lifecycle import Channel, Status

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TRANSACTION = "xn-00000000-0000-4000-8000-000000000001"


def sample(label: Label = Label.DEDUP_KEPT) -> SampleNotification:
    """Give the first sample notification of a kind."""
    return next(each for each in notifications() if each.label is label)


def row(status: Status = Status.SENT, attempt: int = 1) -> FoundRow:
    """Give a row that was due at noon."""
    return FoundRow(status=status, attempt=attempt, transaction_id=TRANSACTION, due_at=NOON)


def arrival(of: SampleNotification, *subscribers: str, transaction: str = TRANSACTION) -> Arrival:
    """Give a trigger that arrived a second past noon, by default at the sample's own recipients."""
    (default,) = {
        each.default_channels
        for each in workflows()
        if each.workflow_key == of.workflow_key and each.enterprise_id in {None, of.enterprise_id}
    }
    return Arrival(
        transaction_id=transaction,
        at=NOON + timedelta(seconds=1),
        channels=frozenset(of.channels or default),
        subscribers=subscribers or of.recipients,
    )


def differences(of: SampleNotification, found: FoundRow | None, *arrivals: Arrival) -> list[str]:
    """Give what is wrong with one notification, without its name."""
    said = compare([(of, found)], arrivals).differences
    return [each.removeprefix(f"{of.name}: ") for each in said]


def test_what_came_as_expected_differs_in_nothing() -> None:
    """One row SENT, its recipients reached once."""
    kept = sample()
    assert differences(kept, row(), arrival(kept)) == []


def test_a_row_in_another_state_differs() -> None:
    """The sentence says what it had to be, what it is, and why."""
    failed = replace(row(Status.FAILED, attempt=3), reason="novu_unanswered")
    assert differences(sample(Label.BROKEN_PAYLOAD), failed) == [
        "must be DEAD, is FAILED (novu_unanswered) after 3 claims"
    ]


def test_a_sent_row_that_reached_nobody_differs() -> None:
    """The row's own word is not enough."""
    assert differences(sample(), row()) == ["1 of 1 recipients were not reached"]


def test_a_recipient_reached_twice_differs() -> None:
    """Two deliveries under one transaction are a duplicate, whatever the row says."""
    kept = sample()
    assert differences(kept, row(), arrival(kept), arrival(kept)) == [
        "1 subscribers were reached more than once"
    ]


def test_a_stranger_reached_differs() -> None:
    """So is anybody reached by what was not to be sent."""
    draft = sample(Label.DRAFT)
    assert differences(draft, row(Status.PENDING, attempt=0), arrival(draft)) == [
        "1 subscribers were reached who must not be"
    ]


def test_a_claimed_draft_differs() -> None:
    """PENDING alone does not show that it was left alone."""
    assert differences(sample(Label.DRAFT), row(Status.PENDING, attempt=0)) == []
    assert differences(sample(Label.DRAFT), row(Status.PENDING, attempt=1)) == [
        "must be PENDING, is PENDING after 1 claims"
    ]


def test_a_refused_insert_is_expected_of_the_duplicate_alone() -> None:
    """No row is right for the one, wrong for the others, and a row is wrong for the one."""
    assert differences(sample(Label.DEDUP_REFUSED), None) == []
    assert "is refused at insert" in differences(sample(), None)[0]
    assert differences(sample(Label.DEDUP_REFUSED), row(Status.PENDING, attempt=0)) == [
        "must be refused at insert, is PENDING after 0 claims"
    ]


def test_other_channels_differ() -> None:
    """A notification goes out where it says."""
    kept = sample()
    other = replace(arrival(kept), channels=frozenset({Channel.CHAT}))
    assert differences(kept, row(), other) == ["went out in the wrong channels"]


def test_what_was_sent_too_early_differs() -> None:
    """A scheduled notification waits for its time."""
    kept = sample()
    early = replace(arrival(kept), at=NOON - timedelta(seconds=1))
    assert differences(kept, row(), early) == ["was sent before it was due"]


def test_chunks_count_together() -> None:
    """Three triggers of one notification reach 250 recipients; the last tells the wait."""
    many = sample(Label.MANY_RECIPIENTS)
    names = many.recipients
    chunks = [
        arrival(many, *names[start : start + 100], transaction=f"{TRANSACTION}-{start // 100}")
        for start in (0, 100, 200)
    ]
    chunks[2] = replace(chunks[2], at=NOON + timedelta(seconds=9))
    assert differences(many, row(), *chunks) == []
    assert differences(many, row(), *chunks[1:]) == ["100 of 250 recipients were not reached"]
    assert compare([(many, row())], chunks).results[0].wait == timedelta(seconds=9)


def test_a_topic_stands_for_its_subscribers() -> None:
    """The name of the topic itself is nobody."""
    wardens = sample(Label.TOPIC)
    (members,) = (each.subscribers for each in topics() if each.recipient in wardens.recipients)
    assert differences(wardens, row(), arrival(wardens, *members)) == []


def test_a_transaction_of_nobody_differs() -> None:
    """Whatever reaches Novu belongs to a row."""
    refused = sample(Label.DEDUP_REFUSED)
    assert differences(refused, None, arrival(refused)) == [
        f"{TRANSACTION}: reached Novu but belongs to no notification"
    ]


def test_counts_are_expected_beside_found() -> None:
    """By state and by channel, and refused inserts apart."""
    kept = sample()
    made = compare([(kept, row()), (sample(Label.DEDUP_REFUSED), None)], [arrival(kept)])
    assert made.states == {Status.SENT: (1, 1)}
    assert made.refused == (1, 1)
    assert made.deliveries[Channel.EMAIL] == (1, 1)
    assert made.deliveries[Channel.CHAT] == (0, 0)
    assert made.claims == 1


def test_waits_are_told_apart() -> None:
    """Those of rows due at once from those of scheduled ones."""
    kept = sample()
    made = compare([(kept, row())], [arrival(kept)])
    assert made.waits(scheduled=False) == Waits(1, timedelta(seconds=1), timedelta(seconds=1))
    assert made.waits(scheduled=True) is None


@pytest.mark.parametrize(("count", "median", "p99"), [(1, 1, 1), (2, 1, 2), (100, 50, 99), (200, 100, 198)])
def test_a_percentile_is_a_wait_that_was(count: int, median: int, p99: int) -> None:
    """The nearest rank, counted from the shortest."""
    waits = Waits.of(timedelta(seconds=number) for number in range(count, 0, -1))
    assert waits == Waits(count, timedelta(seconds=median), timedelta(seconds=p99))


def test_an_empty_tally_has_no_differences() -> None:
    """Nothing expected, nothing found."""
    assert Tally(()).differences == []
