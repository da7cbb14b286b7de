"""How recipients are split into chunks."""

import pytest

from xnovu_poller.store.notifications.by_chunk import split_recipients


@pytest.mark.parametrize(("count", "sizes"), [(101, [100, 1]), (200, [100, 100]), (250, [100, 100, 50])])
def test_recipients_are_split_in_order(count: int, sizes: list[int]) -> None:
    """The chunks contain each recipient exactly once."""
    people = tuple(f"s{i}" for i in range(count))

    chunks = split_recipients(people)

    assert [len(chunk) for chunk in chunks] == sizes
    assert tuple(recipient for chunk in chunks for recipient in chunk) == people
