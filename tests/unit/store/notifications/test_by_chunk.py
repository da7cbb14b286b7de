"""How recipients are split into chunks."""

import pytest

from xnovu_poller.store.notifications.by_chunk import split_recipients


@pytest.mark.parametrize(("count", "sizes"), [(101, [100, 1]), (200, [100, 100]), (250, [100, 100, 50])])
def test_recipients_are_split_in_order(count: int, sizes: list[int]) -> None:
    """All of them, none twice."""
    people = tuple(f"s{i}" for i in range(count))

    cut = split_recipients(people)

    assert [len(part) for part in cut] == sizes
    assert tuple(one for part in cut for one in part) == people
