"""What a loop remembers between two claims."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from xnovu_poller.store.notifications.due import BY_AGE, ORDERS
from xnovu_poller.store.notifications.memory import REMEMBERED, REMEMBERED_AT_MOST, Memory

EARLY = datetime(2020, 1, 1, tzinfo=UTC)
LATE = EARLY + timedelta(hours=1)


@dataclass
class Row:
    """A row of a claim."""

    id: int
    enterprise_id: str = "acme"
    index_order: int = 0
    due_at: datetime | None = None


def begun(**in_flight: int) -> Memory:
    """Give the memory of a quick look at everything."""
    return Memory.of(in_flight, looked_from=0.0, looked_until=0.0)


def test_the_last_row_of_each_order_is_marked() -> None:
    """In whatever order the rows of a claim come; an order that none was taken of begins at nothing."""
    memory = begun().after(
        [Row(7), Row(9), Row(8), Row(5, index_order=BY_AGE), Row(3, "globex", index_order=9)]
    )

    assert memory is not None
    assert memory.marks["acme"] == ((9, None), *[(0, None)] * (ORDERS - 2), (5, None))
    assert memory.marks["globex"][9] == (3, None)


def test_the_latest_time_is_marked_before_the_highest_id() -> None:
    """Rows that have a time lie in its order; those of one time in that of their ids."""
    memory = begun().after([Row(9, due_at=EARLY), Row(2, due_at=LATE), Row(1, due_at=LATE)])

    assert memory is not None
    assert memory.marks["acme"][0] == (2, LATE)


def test_a_later_claim_moves_the_marks_on() -> None:
    """And leaves those of the orders that it took nothing of."""
    first = begun().after([Row(1), Row(2), Row(3, index_order=9)])
    assert first is not None
    second = first.after([Row(6), Row(7)])

    assert second is not None
    assert (second.marks["acme"][0], second.marks["acme"][9]) == ((7, None), (3, None))


def test_what_was_claimed_is_in_flight() -> None:
    """Beside what was; what has ended since is not known, so the deployment seems fuller than it is."""
    memory = begun(acme=5).after([Row(1), Row(2), Row(3, "globex")])

    assert memory is not None
    assert memory.in_flight == {"acme": 7, "globex": 1}


def test_a_claim_of_one_row_each_is_not_remembered() -> None:
    """There may be more enterprises than it had places, and it has not seen them."""
    assert begun().after([Row(1), Row(2, "globex")]) is None


def test_it_is_trusted_for_a_moment() -> None:
    """Longer where the look at everything was dear, and never longer than a late commit may wait."""
    quick = Memory.of({}, looked_from=100.0, looked_until=100.0)
    slow = Memory.of({}, looked_from=99.9375, looked_until=100.0)
    dear = Memory.of({}, looked_from=98.0, looked_until=100.0)

    assert [one.until - 100.0 for one in (quick, slow, dear)] == [
        REMEMBERED.total_seconds(),
        0.625,
        REMEMBERED_AT_MOST.total_seconds(),
    ]
