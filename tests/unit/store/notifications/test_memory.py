"""The memory of a loop between two claims."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from xnovu_poller.store.notifications.due import BY_AGE, ORDERS
from xnovu_poller.store.notifications.memory import REMEMBERED, REMEMBERED_AT_MOST, Memory

EARLY = datetime(2020, 1, 1, tzinfo=UTC)
LATE = EARLY + timedelta(hours=1)


@dataclass
class Row:
    """A claimed row."""

    id: int
    enterprise_id: str = "acme"
    index_order: int = 0
    due_at: datetime | None = None


def new_memory(**in_flight: int) -> Memory:
    """Return the memory after a quick look at all rows."""
    return Memory.of(in_flight, looked_from=0.0, looked_until=0.0)


def test_the_mark_of_each_order_is_its_last_claimed_row() -> None:
    """The rows of a claim may come in any order. An order without a claimed row starts at the beginning."""
    memory = new_memory().after(
        [Row(7), Row(9), Row(8), Row(5, index_order=BY_AGE), Row(3, "globex", index_order=9)]
    )

    assert memory is not None
    assert memory.marks["acme"] == ((9, None), *[(0, None)] * (ORDERS - 2), (5, None))
    assert memory.marks["globex"][9] == (3, None)


def test_a_mark_goes_by_time_first_and_then_by_id() -> None:
    """Rows with a time are sorted by it; rows of the same time are sorted by id."""
    memory = new_memory().after([Row(9, due_at=EARLY), Row(2, due_at=LATE), Row(1, due_at=LATE)])

    assert memory is not None
    assert memory.marks["acme"][0] == (2, LATE)


def test_a_later_claim_advances_only_the_marks_of_its_orders() -> None:
    """Orders from which nothing was claimed keep their marks."""
    first = new_memory().after([Row(1), Row(2), Row(3, index_order=9)])
    assert first is not None
    second = first.after([Row(6), Row(7)])

    assert second is not None
    assert (second.marks["acme"][0], second.marks["acme"][9]) == ((7, None), (3, None))


def test_claimed_rows_are_added_to_those_in_flight() -> None:
    """Rows that have ended since are still counted, so the deployment seems fuller than it is."""
    memory = new_memory(acme=5).after([Row(1), Row(2), Row(3, "globex")])

    assert memory is not None
    assert memory.in_flight == {"acme": 7, "globex": 1}


def test_a_claim_with_one_row_for_each_enterprise_is_not_remembered() -> None:
    """There may be more enterprises than the claim had places, and it has not seen them."""
    assert new_memory().after([Row(1), Row(2, "globex")]) is None


def test_the_memory_is_trusted_for_a_moment() -> None:
    """It is trusted for longer if the look at all rows took long, but never longer than a late commit may wait."""
    quick = Memory.of({}, looked_from=100.0, looked_until=100.0)
    slow = Memory.of({}, looked_from=99.9375, looked_until=100.0)
    longest = Memory.of({}, looked_from=98.0, looked_until=100.0)

    assert [memory.until - 100.0 for memory in (quick, slow, longest)] == [
        REMEMBERED.total_seconds(),
        0.625,
        REMEMBERED_AT_MOST.total_seconds(),
    ]
