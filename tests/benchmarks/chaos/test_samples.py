from collections import Counter

from benchmarks.chaos.samples import RECIPIENTS_OF_LARGE, sample
from xnovu_poller.dev.sample.enterprises import enterprises
from xnovu_poller.dev.sample.notifications import Label
from xnovu_poller.lifecycle import RECIPIENTS_PER_CHUNK

MINUTE = [sample(number) for number in range(900)]


def test_no_two_notifications_share_a_recipient_or_a_key() -> None:
    """So a delivery is known by its subscriber, and a row by its key."""
    reached = Counter(one for each in MINUTE for one in each.recipients)

    assert max(reached.values()) == 1
    assert len({each.dedup_key for each in MINUTE}) == len(MINUTE)


def test_every_enterprise_has_its_turn() -> None:
    """At an even pace for each."""
    assert set(Counter(each.enterprise_id for each in MINUTE).values()) == {len(MINUTE) // len(enterprises())}


def test_every_sort_is_there() -> None:
    """Single and several recipients, several chunks, scheduled, withdrawn and expiring ones."""
    labels = Counter(each.label for each in MINUTE)
    sizes = Counter(len(each.recipients) for each in MINUTE)

    assert set(labels) == {
        Label.IMMEDIATE,
        Label.SCHEDULED,
        Label.MANY_RECIPIENTS,
        Label.RETRACTED,
        Label.EXPIRED,
    }
    assert set(sizes) == {1, 2, 3, 4, RECIPIENTS_OF_LARGE}
    assert RECIPIENTS_OF_LARGE > 2 * RECIPIENTS_PER_CHUNK
    assert labels[Label.IMMEDIATE] > len(MINUTE) / 2
