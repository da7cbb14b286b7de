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
    """Return the first sample notification with a label."""
    return next(each for each in notifications() if each.label is label)


def row(status: Status = Status.SENT, attempt: int = 1) -> FoundRow:
    """Return a row that was due at noon."""
    return FoundRow(status=status, attempt=attempt, transaction_id=TRANSACTION, due_at=NOON)


def arrival(of: SampleNotification, *subscribers: str, transaction: str = TRANSACTION) -> Arrival:
    """Return a trigger that arrived a second after noon, by default for the sample's own recipients."""
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
    """Return the differences of one notification, without its name."""
    found_differences = compare([(of, found)], arrivals).differences
    return [each.removeprefix(f"{of.name}: ") for each in found_differences]


def test_a_notification_as_expected_has_no_differences() -> None:
    """Its row is SENT, and its recipients were reached once."""
    kept = sample()
    assert differences(kept, row(), arrival(kept)) == []


def test_a_row_in_another_state_is_a_difference() -> None:
    """The sentence contains the expected state, the actual state and the reason."""
    failed = replace(row(Status.FAILED, attempt=3), reason="novu_unanswered")
    assert differences(sample(Label.BROKEN_PAYLOAD), failed) == [
        "must be DEAD, is FAILED (novu_unanswered) after 3 claims"
    ]


def test_a_sent_row_that_reached_nobody_is_a_difference() -> None:
    """The row by itself does not prove that anybody was reached."""
    assert differences(sample(), row()) == ["1 of 1 recipients were not reached"]


def test_a_recipient_reached_twice_is_a_difference() -> None:
    """Two deliveries under one transaction are a duplicate, even if the row is as expected."""
    kept = sample()
    assert differences(kept, row(), arrival(kept), arrival(kept)) == [
        "1 subscribers were reached more than once"
    ]


def test_an_unexpected_recipient_is_a_difference() -> None:
    """A draft must reach nobody."""
    draft = sample(Label.DRAFT)
    assert differences(draft, row(Status.PENDING, attempt=0), arrival(draft)) == [
        "1 subscribers were reached who must not be"
    ]


def test_a_claimed_draft_is_a_difference() -> None:
    """A row can be PENDING after a claim too, so the number of claims counts."""
    assert differences(sample(Label.DRAFT), row(Status.PENDING, attempt=0)) == []
    assert differences(sample(Label.DRAFT), row(Status.PENDING, attempt=1)) == [
        "must be PENDING, is PENDING after 1 claims"
    ]


def test_only_the_duplicates_insert_is_expected_to_be_refused() -> None:
    """The duplicate must have no row, and every other notification must have one."""
    assert differences(sample(Label.DEDUP_REFUSED), None) == []
    assert "is refused at insert" in differences(sample(), None)[0]
    assert differences(sample(Label.DEDUP_REFUSED), row(Status.PENDING, attempt=0)) == [
        "must be refused at insert, is PENDING after 0 claims"
    ]


def test_a_wrong_channel_is_a_difference() -> None:
    """A notification is sent in its own channels and no others."""
    kept = sample()
    other = replace(arrival(kept), channels=frozenset({Channel.CHAT}))
    assert differences(kept, row(), other) == ["went out in the wrong channels"]


def test_a_send_before_the_due_time_is_a_difference() -> None:
    """A scheduled notification waits for its time."""
    kept = sample()
    early = replace(arrival(kept), at=NOON - timedelta(seconds=1))
    assert differences(kept, row(), early) == ["was sent before it was due"]


def test_chunks_count_together() -> None:
    """Three triggers of one notification reach 250 recipients; the last trigger determines the wait."""
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
    """The topic's own name is no recipient."""
    wardens = sample(Label.TOPIC)
    (members,) = (each.subscribers for each in topics() if each.recipient in wardens.recipients)
    assert differences(wardens, row(), arrival(wardens, *members)) == []


def test_a_transaction_without_a_row_is_a_difference() -> None:
    """Every trigger at Novu must belong to a row."""
    refused = sample(Label.DEDUP_REFUSED)
    assert differences(refused, None, arrival(refused)) == [
        f"{TRANSACTION}: reached Novu but belongs to no notification"
    ]


def test_each_count_is_a_pair_of_expected_and_found() -> None:
    """There are counts by state, by channel, and of refused inserts."""
    kept = sample()
    made = compare([(kept, row()), (sample(Label.DEDUP_REFUSED), None)], [arrival(kept)])
    assert made.states == {Status.SENT: (1, 1)}
    assert made.refused == (1, 1)
    assert made.deliveries[Channel.EMAIL] == (1, 1)
    assert made.deliveries[Channel.CHAT] == (0, 0)
    assert made.claims == 1


def test_waits_of_scheduled_rows_are_separate() -> None:
    """Rows that are due at once do not mix with scheduled rows."""
    kept = sample()
    made = compare([(kept, row())], [arrival(kept)])
    assert made.waits(scheduled=False) == Waits(1, timedelta(seconds=1), timedelta(seconds=1))
    assert made.waits(scheduled=True) is None


@pytest.mark.parametrize(("count", "median", "p99"), [(1, 1, 1), (2, 1, 2), (100, 50, 99), (200, 100, 198)])
def test_a_percentile_is_an_actual_wait(count: int, median: int, p99: int) -> None:
    """It is the nearest rank, counted from the shortest wait."""
    waits = Waits.of(timedelta(seconds=number) for number in range(count, 0, -1))
    assert waits == Waits(count, timedelta(seconds=median), timedelta(seconds=p99))


def test_an_empty_tally_has_no_differences() -> None:
    """Nothing is expected, and nothing is found."""
    assert Tally(()).differences == []
