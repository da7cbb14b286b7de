"""How recipients are split into chunks."""

import pytest

from xnovu_poller.store.notifications.by_chunk import PUSH_SUFFIX, split_recipients


@pytest.mark.parametrize(("count", "sizes"), [(101, [100, 1]), (200, [100, 100]), (250, [100, 100, 50])])
def test_recipients_are_split_in_order(count: int, sizes: list[int]) -> None:
    """The chunks contain each recipient exactly once."""
    people = tuple(f"s{i}" for i in range(count))

    chunks = split_recipients(people)

    assert [len(chunk) for _, chunk in chunks] == sizes
    assert [name for name, _ in chunks] == [f"-{number}" for number in range(1, len(sizes) + 1)]
    assert tuple(recipient for _, chunk in chunks for recipient in chunk) == people


def test_push_apart_has_chunks_of_its_own() -> None:
    """They follow the others, which keep their names: a call of an earlier try is a repeat for Novu."""
    few, many = ("a", "b"), tuple(f"s{i}" for i in range(150))

    assert split_recipients(few, push_apart=True) == [("", few), ("-push", few)]
    apart = split_recipients(many, push_apart=True)
    assert apart[:2] == split_recipients(many)
    assert [(name, len(part)) for name, part in apart[2:]] == [("-push-1", 100), ("-push-2", 50)]
    assert [PUSH_SUFFIX in name for name, _ in apart] == [False, False, True, True]
